package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// A secret is at most this long; a file that holds more is not a secret's.
const maxSecret = 16 << 10

// secretSource reads what env:NAME and file:PATH name.
type secretSource struct {
	dir string
	env func(string) (string, bool)
}

// read gives the secret, or what was found and what was expected. A reference that is none is never
// repeated: it may be the secret.
func (s *secretSource) read(reference string) (secret Secret, found, expected string) {
	const form = "env:NAME or file:PATH"
	if name, ok := strings.CutPrefix(reference, "env:"); ok {
		if !isVariable(name) {
			return Secret{}, "env: without the name of a variable (not shown)", form
		}
		value, set := s.env(name)
		if !set {
			return Secret{}, reference + ", which is not set", "a variable of the environment"
		}
		return settle(reference, value)
	}
	path, ok := strings.CutPrefix(reference, "file:")
	if !ok {
		return Secret{}, "a value written out (not shown)", form
	}
	if path == "" {
		return Secret{}, "file: without a path", form
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	value, err := readSecretFile(path)
	if err != nil {
		return Secret{}, fmt.Sprintf("file:%s, which %v", path, err), "a readable file with the secret and nothing else"
	}
	return settle("file:"+path, value)
}

func isVariable(name string) bool {
	bad := func(r rune) bool { return !isIDRune(r) || r == '-' }
	return name != "" && len(name) <= 128 && (name[0] < '0' || name[0] > '9') && strings.IndexFunc(name, bad) < 0
}

// settle trims the line's end that editors and shells leave, and refuses what no vendor could have issued.
func settle(from, value string) (secret Secret, found, expected string) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return Secret{}, from + ", which is empty", "a secret"
	case strings.IndexFunc(value, isControl) >= 0:
		return Secret{}, from + ", which holds line breaks or control characters", "a secret of one line"
	default:
		return Secret{from: from, held: &value}, "", ""
	}
}

// readSecretFile reads a regular file; a pipe or a device could block or never end.
func readSecretFile(path string) (value string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("does not exist")
	case err != nil:
		return "", errors.New("cannot be read")
	case !info.Mode().IsRegular():
		return "", errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", errors.New("cannot be opened")
	}
	defer func() { _ = f.Close() }() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case len(b) > maxSecret:
		return "", fmt.Errorf("is longer than %d bytes", maxSecret)
	}
	return string(b), nil
}

// Secrets is every secret of the configuration revealed, for the redactor that keeps them out of
// logs and traces.
func (c *Config) Secrets() []string {
	var all []string
	reveal(reflect.ValueOf(c).Elem(), &all)
	return all
}

func reveal(v reflect.Value, all *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			reveal(v.Elem(), all)
		}
	case reflect.Slice:
		for i := range v.Len() {
			reveal(v.Index(i), all)
		}
	case reflect.Struct:
		if secret, ok := v.Interface().(Secret); ok {
			if secret.IsSet() {
				*all = append(*all, secret.Reveal())
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				reveal(v.Field(i), all)
			}
		}
	}
}
