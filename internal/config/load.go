package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// Load reads the file at path and every secret that it names, with env as the environment
// (os.LookupEnv). A file that can be read but not used gives [textfile.Faults], all of them, in the file's
// order; nothing else is changed or opened.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return Parse(text, path, env)
}

// readFile reads no more than shows that a file is too large: a device may never end.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	return io.ReadAll(io.LimitReader(f, int64(textfile.Small().Bytes)+1))
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
		Reader: textfile.NewReader(path, textfile.Small()), dir: dir, secrets: &secretSource{dir: dir, env: env}, specs: specsByPath(),
		written: map[string]*yaml.Node{}, wrong: map[string]bool{}, values: map[string]reflect.Value{},
	}
	d.NoMerge, d.Meant = true, d.meant
	c := &Config{File: absolute, written: d.written}
	if root := d.Document(text, "at least tenants"); root != nil {
		d.written[""] = root
		d.section(root, reflect.ValueOf(c).Elem(), place{})
		derive(c)
		relate(c, d)
	}
	if err := d.Faults.Err(); err != nil {
		return nil, err
	}
	for _, path := range d.secrets.open {
		c.warnings = append(c.warnings, textfile.Fault{File: path, Message: "every user of this host may read the secret", Expected: "chmod o-r"})
	}
	return c, nil
}

// derive fills the defaults that follow from other values.
func derive(c *Config) {
	if _, written := c.written["nats.embedded.token_file"]; !written && c.NATS.Embedded.Dir != "" {
		c.NATS.Embedded.TokenFile = c.NATS.Embedded.Dir + ".token"
	}
	for i := range c.Tenants {
		if w := &c.Tenants[i].Weiban; w.CorpID != "" && !slices.Contains(w.Receivers, w.CorpID) {
			w.Receivers = append([]string{w.CorpID}, w.Receivers...)
		}
	}
}
