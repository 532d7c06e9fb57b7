package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// decoder fills a Config from the file's nodes, by the table of settings, and collects faults as it goes.
type decoder struct {
	*textfile.Reader
	dir     string // what relative paths start from
	secrets *secretSource
	specs   map[string]Setting
	written map[string]*yaml.Node    // what the file says, by its path
	wrong   map[string]bool          // paths whose value could not be read
	values  map[string]reflect.Value // every leaf by its path
}

// place is one spot of the tree: its concrete path (tenants[0].name) and its path in the table
// (tenants[].name).
type place struct{ path, spec string }

func (p place) key(name string) place {
	if p.path == "" {
		return place{name, name}
	}
	return place{p.path + "." + name, p.spec + "." + name}
}

func (p place) element(i int) place {
	return place{p.path + "[" + strconv.Itoa(i) + "]", p.spec + "[]"}
}

// section reads a mapping into a struct. A node of nil means that nothing was written: every leaf
// takes its default.
func (d *decoder) section(n *yaml.Node, v reflect.Value, at place) {
	var given map[string]*yaml.Node
	if !isNull(n) {
		var ok bool
		if given, ok = d.Section(n, at.path, 0, fieldNames(v.Type())...); !ok {
			d.wrong[at.path] = true
			return
		}
	}
	for f, field := range v.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		child := at.key(name)
		if n := given[name]; n != nil {
			d.written[child.path] = n
		}
		d.value(given[name], field, child)
	}
}

// meant words what was meant by an unknown key: a sibling that is spelled alike, or else a setting of
// that very name in another section.
func (d *decoder) meant(key string, siblings []string) string {
	if textfile.Nearest(key, siblings) != "" {
		return textfile.Choice(key, siblings)
	}
	best := ""
	for path := range d.specs {
		if strings.HasSuffix(path, "."+key) && (best == "" || len(path) < len(best) || len(path) == len(best) && path < best) {
			best = path
		}
	}
	if best != "" {
		return strconv.Quote(best)
	}
	return textfile.OneOf(siblings)
}

// value reads the value of a field, whatever its type.
func (d *decoder) value(n *yaml.Node, v reflect.Value, at place) {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		if n != nil { // an optional section exists only where it is written
			v.Set(reflect.New(t.Elem()))
			d.section(n, v.Elem(), at)
		}
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]():
		d.section(n, v, at)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		d.list(n, v, at)
	case n == nil:
		d.absent(v, at)
	case t.Kind() == reflect.Slice:
		d.scalars(n, v, at)
	default:
		d.scalar(n, v, at)
	}
}

// list reads a list of mappings.
func (d *decoder) list(n *yaml.Node, v reflect.Value, at place) {
	switch {
	case n == nil:
		d.lacks(at)
		return
	case n.Kind != yaml.SequenceNode || len(n.Content) == 0:
		d.unfit(n, at, textfile.Describe(n), d.specs[at.spec].Expected())
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		element, child := d.Resolve(element), at.element(i)
		d.written[child.path] = element
		if isNull(element) {
			d.unfit(element, child, textfile.Describe(element), "a mapping")
			continue
		}
		d.section(element, v.Index(i), child)
	}
}

// absent gives a leaf that is not written its default, or the value of the setting that it follows.
func (d *decoder) absent(v reflect.Value, at place) {
	spec := d.specs[at.spec]
	d.values[at.path] = v
	switch {
	case spec.Required:
		d.lacks(at)
	case spec.from != "":
		if source, ok := d.values[spec.from]; ok { // not where its own section could not be read
			v.Set(source)
		}
	case spec.Default != "" && v.Kind() == reflect.Slice:
		for text := range strings.SplitSeq(spec.Default, ", ") {
			value, _ := spec.parse(text)
			v.Set(reflect.Append(v, reflect.ValueOf(value)))
		}
	case spec.Default != "":
		value, _ := spec.parse(spec.Default)
		v.Set(reflect.ValueOf(d.absolute(spec, value)))
	}
}

// scalars reads a list of scalars.
func (d *decoder) scalars(n *yaml.Node, v reflect.Value, at place) {
	spec := d.specs[at.spec]
	d.values[at.path] = v
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.unfit(n, at, textfile.Describe(n), spec.Expected())
		return
	}
	for i, element := range n.Content {
		element = d.Resolve(element)
		value, ok := parseNode(spec, element)
		if !ok {
			d.unfit(element, at.element(i), textfile.Describe(element), spec.Expected())
			continue
		}
		v.Set(reflect.Append(v, reflect.ValueOf(value)))
	}
}

// scalar reads one value.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at place) {
	spec := d.specs[at.spec]
	d.values[at.path] = v
	if spec.Type == kindSecret {
		d.secret(n, v, at, spec)
		return
	}
	value, ok := parseNode(spec, n)
	if !ok {
		expected := spec.Expected()
		if hint := wordHint(spec, n); hint != "" {
			expected += "; did you mean " + hint + "?"
		}
		d.unfit(n, at, show(spec, n), expected)
		return
	}
	if spec.check != nil {
		if found, expected := spec.check(fmt.Sprint(value)); found != "" {
			d.unfit(n, at, found, expected)
		}
	}
	v.Set(reflect.ValueOf(d.absolute(spec, value)))
}

func (d *decoder) secret(n *yaml.Node, v reflect.Value, at place, spec Setting) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.unfit(n, at, textfile.Describe(n), spec.Expected())
		return
	}
	secret, found, expected := d.secrets.read(n.Value)
	if found == "" && spec.check != nil {
		found, expected = spec.check(secret.Reveal())
	}
	if found != "" {
		d.unfit(n, at, found, expected)
		return
	}
	v.Set(reflect.ValueOf(secret))
}

// absolute makes a relative path start from the file's directory; every other value stays.
func (d *decoder) absolute(spec Setting, value any) any {
	if path, ok := value.(string); ok && spec.Type == kindPath && !filepath.IsAbs(path) {
		return filepath.Join(d.dir, path)
	}
	return value
}

// near is what stands at a path, or the closest thing around it.
func (d *decoder) near(path string) *yaml.Node {
	for {
		if n := d.written[path]; n != nil || path == "" {
			return n
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// unfit adds the fault of a value that its setting does not take.
func (d *decoder) unfit(n *yaml.Node, at place, found, expected string) {
	d.wrong[at.path] = true
	d.Fault(n, at.path, "is "+found, expected)
}

// lacks adds the fault of a required setting that is not written.
func (d *decoder) lacks(at place) {
	d.wrong[at.path] = true
	section, name := "", at.path
	if i := strings.LastIndex(at.path, "."); i >= 0 {
		section, name = at.path[:i], at.path[i+1:]
	}
	d.Fault(d.near(section), section, fmt.Sprintf("lacks %q", name), d.specs[at.spec].Expected())
}

// show describes a scalar. Addresses are not repeated where they may hold a password or a token.
func show(spec Setting, n *yaml.Node) string {
	if (spec.Type == kindURL || spec.Type == kindServers) && strings.ContainsAny(n.Value, "@?") {
		return "an address with a user, a password or a query (not shown)"
	}
	return textfile.Describe(n)
}

// wordHint is the value that was most likely meant, "" where none is likely.
func wordHint(spec Setting, n *yaml.Node) string {
	hint := ""
	switch {
	case n.Kind != yaml.ScalarNode:
	case spec.Type == kindWord:
		hint = textfile.Nearest(n.Value, spec.Words)
	case spec.Type == kindDuration:
		if _, err := time.ParseDuration(n.Value + "s"); err == nil {
			hint = n.Value + "s"
		}
	case spec.Type == kindSize:
		hint = sizeHint(n.Value)
	}
	if _, sound := spec.parse(hint); !sound {
		return ""
	}
	return hint
}
