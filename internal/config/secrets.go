package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// A secret is at most this long; a file that holds more is not a secret's.
const maxSecret = 16 << 10

// secretSource reads what env:NAME and file:PATH name.
type secretSource struct {
	dir  string
	env  func(string) (string, bool)
	open []string // files of secrets that every user of the host may read
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
			return Secret{}, reference + ", which is not set", "a variable of the environment, or of the file that --env-file names"
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
	value, mode, err := readSecretFile(path)
	if err != nil {
		return Secret{}, fmt.Sprintf("file:%s, which %v", path, err), "a readable file with the secret and nothing else"
	}
	if mode&othersRead != 0 && runtime.GOOS != "windows" { // Windows makes modes up
		s.open = append(s.open, path)
	}
	return settle("file:"+path, value)
}

func isVariable(name string) bool {
	bad := func(r rune) bool { return !isIDRune(r) || r == '-' }
	return name != "" && len(name) <= 128 && (name[0] < '0' || name[0] > '9') && strings.IndexFunc(name, bad) < 0
}

// othersRead is the permission of everybody to read a file. A group may read secrets:
// that is how systemd and containers hand them over.
const othersRead fs.FileMode = 0o004

// readSecretFile reads a regular file; a pipe or a device could block or never end.
func readSecretFile(path string) (value string, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, errors.New("does not exist")
	case err != nil:
		return "", 0, errors.New("cannot be read")
	case !info.Mode().IsRegular():
		return "", 0, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, errors.New("cannot be opened")
	}
	defer func() { _ = f.Close() }() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", 0, errors.New("cannot be read")
	case len(b) > maxSecret:
		return "", 0, fmt.Errorf("is longer than %d bytes", maxSecret)
	}
	return string(b), info.Mode(), nil
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
