package config

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Print writes the configuration as it is in force: every value with its default filled in, those
// that the file does not set marked so, a secret as the place it was read from and never as itself.
// What it writes is a valid bridge.yaml.
func (c *Config) Print(w io.Writer) error {
	root := c.node(reflect.ValueOf(c).Elem(), "")
	text, err := yaml.Dump(root)
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

func (c *Config) node(v reflect.Value, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		if name == "" || name == "-" {
			continue
		}
		child := name
		if path != "" {
			child = path + "." + name
		}
		if value := c.valueNode(field, child); value != nil {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
		}
	}
	return n
}

// valueNode is nil for what is not set and has no default.
func (c *Config) valueNode(v reflect.Value, path string) *yaml.Node {
	if v.IsZero() && (v.Kind() == reflect.String || v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) {
		return nil
	}
	switch {
	case v.Kind() == reflect.Pointer:
		return c.node(v.Elem(), path)
	case v.Type() == reflect.TypeFor[Secret]():
		return secretNode(v.Interface().(Secret))
	case v.Kind() == reflect.Struct:
		if n := c.node(v, path); len(n.Content) > 0 {
			return n
		}
		return nil
	case v.Kind() == reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			n.Content = append(n.Content, c.valueNode(v.Index(i), path+"["+strconv.Itoa(i)+"]"))
		}
		if v.Type().Elem().Kind() != reflect.Struct {
			n.Style = yaml.FlowStyle
			c.remark(n, path)
		}
		return n
	default:
		n := scalarNode(v.Interface())
		if !strings.HasSuffix(path, "]") {
			c.remark(n, path)
		}
		return n
	}
}

func (c *Config) remark(n *yaml.Node, path string) {
	if _, written := c.written[path]; !written {
		n.LineComment = "# default"
	}
}

func secretNode(s Secret) *yaml.Node {
	switch {
	case !s.IsSet():
		return nil
	case s.From() == "":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: masked}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.From()}
	}
}

func scalarNode(value any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
	switch v := value.(type) {
	case time.Duration:
		n.Value = durationText(v)
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case int:
		n.Tag, n.Value = "!!int", strconv.Itoa(v)
	default:
		n.Value = fmt.Sprint(v)
	}
	return n
}

// durationText is Go's notation without the zeros at its end: 720h, not 720h0m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
