package config

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// What Load accepts the schema accepts, whatever kind of value stands at whatever setting; and what
// it refuses for its shape alone the schema refuses.
func TestSchemaAgreesWithLoad(t *testing.T) {
	schema := compile(t)
	text, dir := base(t)
	pool := []string{
		"x", "X_1-", "'-'", "''", "5", "0", "0123", "1.5", "601", "true", "'true'", "~", "[]", "{}", "[x]", "[5s, 1m]", "[5]", "30s", "1h30m", "-1s", ".5h", "0s", "1MiB", "20GiB", "5B", "1MB",
		"env:WEIBAN_SECRET", "env:CALLBACK_KEY", "file:client-secret", "hunter2", "127.0.0.1:1", "':1'", "'a:x'", "https://a.b", "http://127.0.0.1:5", "http://a.b", "nats://a:1", "'nats://a, tls://b:2'", "2026-01-01", "info", "json", "3", "a b",
		"[img.example.com, '*.b.cn']", "[1.2.3.4]", "[image/png]", "[image/tiff]",
	}
	accepted := 0
	tried := map[string]bool{kindSection: true, kindList: true}
	for _, spec := range Reference() {
		if tried[spec.Type] || tried[spec.Type+spec.shortType()] { // one of each sort is enough
			continue
		}
		tried[spec.Type+spec.shortType()] = true
		for _, value := range pool {
			doc := withValue(t, text, spec.Path, value)
			c, err := load(t, doc, dir)
			verdict := schema.Validate(asJSON(t, doc))
			if err == nil {
				accepted++
				checkPrint(t, c, dir)
			}
			if err == nil && verdict != nil {
				t.Errorf("%s: %s is taken by Load and refused by the schema: %v", spec.Path, value, verdict)
			}
			if strings.HasPrefix(value, "{") && verdict == nil {
				t.Errorf("%s: %s is taken by the schema", spec.Path, value)
			}
		}
	}
	if accepted < 2*len(tried) {
		t.Errorf("only %d values were accepted: the pool tries nothing", accepted)
	}
	if schema.Validate(asJSON(t, strings.Replace(text, "listen:", "lisen:", 1))) == nil || schema.Validate(asJSON(t, strings.Replace(text, "    mapping: acme/mapping.yaml\n", "", 1))) == nil {
		t.Error("the schema takes an unknown key, or a missing one")
	}
}

// checkPrint prints a configuration, reads that, and compares.
func checkPrint(t *testing.T, c *Config, dir string) {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, out.String(), dir)
	if err != nil {
		t.Fatalf("what was printed is refused: %v\n%s", err, out.String())
	}
	if diff := cmp.Diff(c, again, equal()); diff != "" {
		t.Errorf("what was printed says something else (-file +print):\n%s", diff)
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bridge.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("bridge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// withValue is the text with one setting set: its key replaced where it stands, added where it does not.
func withValue(t *testing.T, text, path, value string) string {
	t.Helper()
	var doc, node yaml.Node
	if err := errors.Join(yaml.Load([]byte(text), &doc), yaml.Load([]byte("v: "+value), &node)); err != nil {
		t.Fatal(err)
	}
	at := doc.Content[0]
	steps := strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
	for i, step := range steps {
		if step == "[]" {
			at = at.Content[0]
			continue
		}
		next := child(at, step)
		switch {
		case i == len(steps)-1:
			*next = *node.Content[0].Content[1]
		case next.Kind != yaml.MappingNode && steps[i+1] != "[]":
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		at = next
	}
	out, err := yaml.Dump(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	return value
}

// asJSON is a YAML text as an editor's schema check sees it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return jsonValue(doc.Content[0])
}

func jsonValue(n *yaml.Node) any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = jsonValue(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, element := range n.Content {
			list = append(list, jsonValue(element))
		}
		return list
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}
