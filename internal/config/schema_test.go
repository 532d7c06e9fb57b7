package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

const schemaFile = "../../schemas/bridge.schema.json"

// object keeps the order of the file for its readers.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemaOf is the JSON Schema of what a Go type of the configuration reads.
func schemaOf(t reflect.Type, at place, specs map[string]Setting) object {
	spec := specs[at.spec]
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), at, specs)
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]():
		return sectionSchema(t, at, specs, spec)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return object{{"description", spec.Meaning}, {"type", "array"}, {"minItems", 1}, {"items", schemaOf(t.Elem(), at.element(0), specs)}}
	case t.Kind() == reflect.Slice:
		o := object{{"description", spec.Meaning}, {"type", "array"}, {"minItems", 1}, {"items", scalarSchema(spec)}}
		if spec.Default != "" && spec.from == "" {
			o = append(o, member{"default", strings.Split(spec.Default, ", ")})
		}
		return o
	default:
		o := append(object{{"description", spec.Meaning}}, scalarSchema(spec)...)
		if spec.Default != "" && spec.from == "" {
			o = append(o, member{"default", typed(spec)})
		}
		return o
	}
}

func sectionSchema(t reflect.Type, at place, specs map[string]Setting, spec Setting) object {
	var properties object
	required := []string{}
	pointers := []any{}
	for i := range t.NumField() {
		name, field := t.Field(i).Tag.Get("yaml"), t.Field(i).Type
		if name == "" || name == "-" {
			continue
		}
		child := schemaOf(field, at.key(name), specs)
		properties = append(properties, member{name, child})
		switch own := specs[at.key(name).spec]; {
		case field.Kind() == reflect.Pointer:
			pointers = append(pointers, object{{"required", []string{name}}})
		case own.Required || own.Type == kindSection && needs(child):
			required = append(required, name)
		}
	}
	o := object{}
	if spec.Meaning != "" {
		o = append(o, member{"description", spec.Meaning})
	}
	if len(required) == 0 && at.path != "" {
		o = append(o, member{"type", []string{"object", "null"}})
	} else {
		o = append(o, member{"type", "object"}, member{"required", required})
	}
	if len(pointers) > 0 {
		o = append(o, member{"oneOf", pointers})
	}
	return append(o, member{"additionalProperties", false}, member{"properties", properties})
}

// needs reports whether a section must be there because something in it must.
func needs(section object) bool {
	for _, m := range section {
		if m.key == "required" {
			return true
		}
	}
	return false
}

func scalarSchema(spec Setting) object {
	text := func(more ...member) object { return append(object{{"type", "string"}}, more...) }
	loose := func(more ...member) object { return append(object{{"type", []string{"string", "number"}}}, more...) }
	switch spec.Type {
	case kindText:
		return loose(member{"minLength", 1}, member{"maxLength", maxText})
	case kindName:
		return loose(member{"pattern", "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"})
	case kindID, kindIDs:
		return loose(member{"pattern", "^[A-Za-z0-9_-]{1,64}$"})
	case kindAddress:
		return text(member{"pattern", "^[^ /@]*:[0-9]{1,5}$"})
	case kindURL:
		return text(member{"pattern", "^https?://[^@?#]+$"})
	case kindServers:
		return text(member{"pattern", "^ *(nats|tls)://[^@?/,]+(, *(nats|tls)://[^@?/,]+)*$"})
	case kindHosts:
		return text(member{"pattern", `^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])$`})
	case kindPath:
		return text(member{"minLength", 1})
	case kindWord, kindWords:
		return object{{"enum", spec.Words}}
	case kindSwitch:
		return object{{"type", "boolean"}}
	case kindCount:
		return countSchema(spec)
	case kindDuration, kindDurations:
		return text(member{"pattern", `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`})
	case kindSize:
		return text(member{"pattern", "^[0-9]+([KMGT]i)?B$"})
	case kindSecret:
		return text(member{"pattern", "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"})
	default:
		panic("no schema for the type " + spec.Type)
	}
}

func countSchema(spec Setting) object {
	if len(spec.Words) > 0 {
		numbers := make([]json.Number, len(spec.Words))
		for i, word := range spec.Words {
			numbers[i] = json.Number(word)
		}
		return object{{"enum", numbers}}
	}
	o := object{{"type", "integer"}}
	if spec.Min != "" {
		o = append(o, member{"minimum", json.Number(spec.Min)})
	}
	if spec.Max != "" {
		o = append(o, member{"maximum", json.Number(spec.Max)})
	}
	return o
}

func typed(spec Setting) any {
	switch spec.Type {
	case kindCount:
		return json.Number(spec.Default)
	case kindSwitch:
		return spec.Default == "true"
	default:
		return spec.Default
	}
}

func TestSchemaIsTheStruct(t *testing.T) {
	schema := schemaOf(reflect.TypeFor[Config](), place{}, specsByPath())
	schema = append(object{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "bridge.yaml"}}, schema...)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(schema); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("schemas/bridge.schema.json is not what the settings say; run the test with -update (-settings +file):\n%s", diff)
	}
}
