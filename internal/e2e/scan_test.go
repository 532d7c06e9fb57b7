//go:build unix

package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scanner looks for secrets in whatever a run wrote.
type scanner struct {
	forms map[string]string // a form of a secret → what it is
}

func newScanner(secrets map[string]string) scanner {
	s := scanner{forms: map[string]string{}}
	for secret, what := range secrets {
		for _, form := range forms(secret) {
			s.forms[form] = what
		}
	}
	return s
}

// forms are the ways in which a secret may stand in a text: as it is, as URLs and
// JSON write it, in hex, and in base64, alone or somewhere within something else.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string can always be written
	out := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for before := range 3 {
		padded := append(make([]byte, before), secret...)
		first, last := (before*8+5)/6, len(padded)*8/6 // characters that depend on the secret alone
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			out = append(out, e.EncodeToString(padded)[first:last])
		}
	}
	return out
}

// find names the secrets that a text holds.
func (s scanner) find(text []byte) []string {
	found := map[string]bool{}
	for form, what := range s.forms {
		if bytes.Contains(text, []byte(form)) {
			found[what] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// check fails the test if a text holds a secret; where says what the text is.
func (s scanner) check(t *testing.T, where string, text []byte) {
	t.Helper()
	if len(text) == 0 {
		t.Errorf("%s is empty: nothing was scanned", where)
	}
	if found := s.find(text); len(found) > 0 {
		t.Errorf("%s holds %s", where, strings.Join(found, ", "))
	}
}

// checkTree does so for every file below a directory; it returns all text.
func (s scanner) checkTree(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := s.find(text); len(found) > 0 {
			t.Errorf("%s holds %s", path, strings.Join(found, ", "))
		}
		all = append(all, text...)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Errorf("scan %s: %d bytes, %v", dir, len(all), err)
	}
	return all
}

// TestScannerFinds: what the test for leaks rests on.
func TestScannerFinds(t *testing.T) {
	const secret = `k3y+/="中<a`
	s := newScanner(map[string]string{secret: "the key", "another-one": "the other"})
	quoted, err := json.Marshal("x" + secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"a " + secret + " b", "?token=" + url.QueryEscape(secret) + "&x=1", "/" + url.PathEscape(secret) + "/", string(quoted),
		hex.EncodeToString([]byte("x" + secret)),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte("u:" + secret + "\n")),
		base64.StdEncoding.EncodeToString([]byte("user:" + secret)), base64.RawURLEncoding.EncodeToString([]byte("user:x" + secret + "yz")),
	} {
		if got := s.find([]byte(text)); !slices.Equal(got, []string{"the key"}) {
			t.Errorf("in %q found %v", text, got)
		}
	}
	if got := s.find([]byte("k3y+/ another-on e " + base64.StdEncoding.EncodeToString([]byte("another-on")))); got != nil {
		t.Errorf("found %v where there is nothing", got)
	}
}
