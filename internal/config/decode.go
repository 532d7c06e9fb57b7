package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills a Config from the file's nodes, by the table of settings, and collects faults as it goes.
type decoder struct {
	file    string // as the caller named it
	dir     string // what relative paths start from
	secrets *secretSource
	specs   map[string]Setting
	faults  Faults
	marks   map[string]mark          // where each path stands in the file; what is not here was not written
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
	if n = follow(n); isNothing(n) {
		n = nil
	}
	if n != nil && n.Kind != yaml.MappingNode {
		d.fault(at, markOf(n), describe(n), "a mapping", "")
		return
	}
	written := d.keys(n, v.Type(), at)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		d.value(written[name], v.Field(i), at.key(name))
	}
}

// keys looks at the keys of a mapping and gives the value of each known one.
func (d *decoder) keys(n *yaml.Node, t reflect.Type, at place) map[string]*yaml.Node {
	written := map[string]*yaml.Node{}
	if n == nil {
		return written
	}
	known := fieldNames(t)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			d.fault(at, markOf(key), describe(key)+" as a key", "a plain word; merge keys are not read", "")
			continue
		}
		name, child := key.Value, at.key(key.Value)
		switch {
		case !slices.Contains(known, name):
			d.faultKey(key, known, at)
		case written[name] != nil:
			d.fault(child, markOf(key), fmt.Sprintf("the key a second time (first on line %d)", d.marks[child.path].line), "each key once", "")
		default:
			written[name] = n.Content[i+1]
			d.marks[child.path] = markOf(n.Content[i+1])
		}
	}
	return written
}

// faultKey names an unknown key, but never what stands behind it: that may be a secret.
func (d *decoder) faultKey(key *yaml.Node, known []string, at place) {
	name := key.Value
	d.fault(at.key(shorten(name)), markOf(key), "an unknown key", "one of "+strings.Join(known, ", "), keyHint(name, known, d.specs))
}

// value reads whatever a field of a struct is.
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
	case t.Kind() == reflect.Slice:
		d.scalars(n, v, at)
	default:
		d.scalar(n, v, at)
	}
}

// list reads a list of mappings.
func (d *decoder) list(n *yaml.Node, v reflect.Value, at place) {
	spec := d.specs[at.spec]
	n = follow(n)
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fault(at, d.near(at.path), describe(n), spec.Expected(), "")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		child := at.element(i)
		d.marks[child.path] = markOf(element)
		if isNothing(element) {
			d.fault(child, markOf(element), describe(element), "a mapping", "")
			continue
		}
		d.section(element, v.Index(i), child)
	}
}

// scalars reads a list of scalars, or its default.
func (d *decoder) scalars(n *yaml.Node, v reflect.Value, at place) {
	spec := d.specs[at.spec]
	d.values[at.path] = v
	if n == nil {
		d.inherit(v, at, func() {
			for text := range strings.SplitSeq(spec.Default, ", ") {
				value, _ := spec.parse(text)
				v.Set(reflect.Append(v, reflect.ValueOf(value)))
			}
		})
		return
	}
	n = follow(n)
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fault(at, markOf(n), describe(n), spec.Expected(), "")
		return
	}
	for i, element := range n.Content {
		element = follow(element)
		value, ok := parseNode(spec, element)
		if !ok {
			d.fault(at.element(i), markOf(element), describe(element), spec.Expected(), "")
			continue
		}
		v.Set(reflect.Append(v, reflect.ValueOf(value)))
	}
}

// scalar reads one value, or its default.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at place) {
	spec := d.specs[at.spec]
	d.values[at.path] = v
	if n == nil {
		if spec.Required {
			d.fault(at, d.near(at.path), "nothing", spec.Expected(), "")
			return
		}
		d.inherit(v, at, func() {
			value, _ := spec.parse(spec.Default)
			v.Set(reflect.ValueOf(d.outside(spec, value)))
		})
		return
	}
	n = follow(n)
	if spec.Type == kindSecret {
		d.secret(n, v, at, spec)
		return
	}
	value, ok := parseNode(spec, n)
	if !ok {
		hint := d.wordHint(spec, n)
		if _, sound := spec.parse(hint); !sound {
			hint = ""
		}
		d.fault(at, markOf(n), d.show(spec, n), spec.Expected(), hint)
		return
	}
	if spec.check != nil {
		if found, expected := spec.check(fmt.Sprint(value)); found != "" {
			d.fault(at, markOf(n), found, expected, "")
		}
	}
	v.Set(reflect.ValueOf(d.outside(spec, value)))
}

func (d *decoder) secret(n *yaml.Node, v reflect.Value, at place, spec Setting) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fault(at, markOf(n), describe(n), spec.Expected(), "")
		return
	}
	secret, found, expected := d.secrets.read(n.Value)
	if found == "" && spec.check != nil {
		found, expected = spec.check(secret.Reveal())
	}
	if found != "" {
		d.fault(at, markOf(n), found, expected, "")
		return
	}
	v.Set(reflect.ValueOf(secret))
}

// inherit gives a leaf another setting's value where its default says so, and else what standing sets.
func (d *decoder) inherit(v reflect.Value, at place, standing func()) {
	spec := d.specs[at.spec]
	switch {
	case spec.from != "":
		if source, ok := d.values[spec.from]; ok { // not where its own section could not be read
			v.Set(source)
		}
	case spec.Default != "":
		standing()
	}
}

// outside turns a path absolute; everything else stays.
func (d *decoder) outside(spec Setting, value any) any {
	if path, ok := value.(string); ok && spec.Type == kindPath && !filepath.IsAbs(path) {
		return filepath.Join(d.dir, path)
	}
	return value
}

// near is where a path stands, or where the closest thing around it does.
func (d *decoder) near(path string) mark {
	for path != "" {
		if m, ok := d.marks[path]; ok {
			return m
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return mark{1, 1}
}

func (d *decoder) fault(at place, m mark, found, expected, hint string) {
	d.faults = append(d.faults, Fault{File: d.file, Line: m.line, Column: m.column, Path: at.path, Found: found, Expected: expected, Hint: hint})
}

// show is a scalar as it was written. Addresses are not repeated where they may hold a password or a token.
func (d *decoder) show(spec Setting, n *yaml.Node) string {
	if (spec.Type == kindURL || spec.Type == kindServers) && strings.ContainsAny(n.Value, "@?") {
		return "an address with a user, a password or a query (not shown)"
	}
	return describe(n)
}

func (d *decoder) wordHint(spec Setting, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.Value == "":
		return ""
	case spec.Type == kindWord:
		return nearest(n.Value, spec.Words)
	case spec.Type == kindDuration:
		if _, err := time.ParseDuration(n.Value + "s"); err == nil {
			return n.Value + "s"
		}
	case spec.Type == kindSize:
		return sizeHint(n.Value)
	}
	return ""
}
