package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const maxFile = 1 << 20

// Load reads the file at path and every secret that it names, with env as the environment
// (os.LookupEnv). A file that can be read but not used gives [Faults], all of them, in the file's
// order; nothing else is changed or opened.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return Parse(text, path, env)
}

func readFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return text, err
}

// Parse is [Load] of a text that is at hand. path names it in faults, and its directory is what
// relative paths start from; it need not exist.
func Parse(text []byte, path string, env func(string) (string, bool)) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find configuration %s: %w", path, err)
	}
	dir := filepath.Dir(absolute)
	d := &decoder{
		file: path, dir: dir, secrets: &secretSource{dir: dir, env: env},
		specs: specsByPath(), marks: map[string]mark{}, values: map[string]reflect.Value{},
	}
	root, fault := document(text)
	if fault != nil {
		fault.File = path
		return nil, Faults{*fault}
	}
	c := &Config{File: absolute, marks: d.marks}
	d.section(root, reflect.ValueOf(c).Elem(), place{})
	derive(c)
	relate(c, d)
	if len(d.faults) > 0 {
		d.faults.sort()
		return nil, d.faults
	}
	return c, nil
}

// document parses the text as one YAML document. An empty one is a mapping without keys.
func document(text []byte) (*yaml.Node, *Fault) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, syntaxFault(err)
	}
	var doc, more yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxFault(err)
	}
	switch err := loader.Load(&more); {
	case err == nil:
		return nil, &Fault{Line: max(1, more.Line), Column: max(1, more.Column), Found: "a second document", Expected: "one"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(err)
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0], nil
	}
	return &doc, nil
}

// syntaxFault words a parser's error. What it quotes is cut out, since it may be the beginning of a
// secret (`*x` reads as an alias).
func syntaxFault(err error) *Fault {
	fault := &Fault{Line: 1, Column: 1, Found: "what is not YAML", Expected: "YAML"}
	if le, ok := errors.AsType[*yaml.LoadError](err); ok {
		fault.Line, fault.Column = max(1, le.Mark.Line), max(1, le.Mark.Column)
		message := regexp.MustCompile(`'[^' ]{3,}'`).ReplaceAllString(le.Message, "'…'")
		fault.Found += " (" + strings.TrimPrefix(message, "yaml: ") + ")"
	}
	return fault
}

// derive fills the defaults that follow from other values.
func derive(c *Config) {
	if _, written := c.marks["nats.embedded.token_file"]; !written && c.NATS.Embedded.Dir != "" {
		c.NATS.Embedded.TokenFile = c.NATS.Embedded.Dir + ".token"
	}
	for i := range c.Tenants {
		if w := &c.Tenants[i].Weiban; w.CorpID != "" && !slices.Contains(w.Receivers, w.CorpID) {
			w.Receivers = append([]string{w.CorpID}, w.Receivers...)
		}
	}
}
