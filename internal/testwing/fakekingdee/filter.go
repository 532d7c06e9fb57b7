package fakekingdee

import (
	"fmt"
	"slices"
	"strings"
)

// filter is one of andQfilters or orQfilters.
type filter struct{ property, cp, value string }

// filters reads a list of filters; problem is what is wrong with it.
func filters(v any) (out []filter, problem string) {
	if v == nil {
		return nil, ""
	}
	list, ok := v.([]any)
	if !ok {
		return nil, "过滤条件必须为数组"
	}
	for _, e := range list {
		member, _ := e.(map[string]any)
		f := filter{text(member["property"]), text(member["cp"]), text(member["value"])}
		if f.property == "" || (f.cp != "=" && f.cp != "like") {
			return nil, "过滤条件不支持:" + f.property + f.cp
		}
		out = append(out, f)
	}
	return out, ""
}

// matches says whether a row passes a filter.
func (f filter) matches(r row) bool {
	v, _ := r.value(f.property)
	if it, ok := v.(Item); ok {
		v = it.ID
	}
	word := fmt.Sprint(v)
	if f.cp == "like" {
		return like(word, f.value)
	}
	return word == f.value
}

// like compares with a pattern in which % stands for any text.
func like(word, pattern string) bool {
	parts := strings.Split(pattern, "%")
	if len(parts) == 1 {
		return word == pattern
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(word, first) {
		return false
	}
	word = word[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(word, part)
		if at < 0 {
			return false
		}
		word = word[at+len(part):]
	}
	return strings.HasSuffix(word, last)
}

// selection keeps the rows that pass every one of and, and, if there are any,
// one of or.
func selection(in []row, and, or []filter) (out []row) {
	for _, r := range in {
		passes := func(f filter) bool { return f.matches(r) }
		fails := func(f filter) bool { return !f.matches(r) }
		if !slices.ContainsFunc(and, fails) && (len(or) == 0 || slices.ContainsFunc(or, passes)) {
			out = append(out, r)
		}
	}
	return out
}

// sortKey is one key of orderBy.
type sortKey struct {
	property string
	down     bool
}

// orders reads "name asc, other desc"; problem is what is wrong with it.
func orders(orderBy string) (out []sortKey, problem string) {
	for _, key := range strings.FieldsFunc(orderBy, func(r rune) bool { return r == ',' }) {
		words := strings.Fields(strings.ToLower(key))
		switch {
		case len(words) == 1 || len(words) == 2 && words[1] == "asc":
			out = append(out, sortKey{property: strings.Fields(key)[0]})
		case len(words) == 2 && words[1] == "desc":
			out = append(out, sortKey{property: strings.Fields(key)[0], down: true})
		default:
			return nil, "排序不支持:" + key
		}
	}
	return out, ""
}

// sorted sorts rows in place, as text; rows that no key tells apart stay as they
// are.
func sorted(rows []row, by []sortKey) {
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, o := range by {
			va, _ := a.value(o.property)
			vb, _ := b.value(o.property)
			c := strings.Compare(fmt.Sprint(va), fmt.Sprint(vb))
			if o.down {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}
