package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

func TestSecretShowsItselfNowhere(t *testing.T) {
	const value = "hunter2"
	type nested struct {
		Secret Secret
		hidden Secret
		Many   []Secret
		At     *Secret
	}
	s := Secret{held: ptr(value)}
	n := nested{Secret: s, hidden: s, Many: []Secret{s}, At: &s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", n)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) { return yaml.Dump(v) }} {
		b, err := marshal(map[string]any{"secret": s, "nested": []Secret{s}})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	out.WriteString(s.GoString() + s.String())
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "secret", s, "nested", n, "error", fmt.Errorf("with %v", s))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "nested", n)

	hexed := fmt.Sprintf("%x", value)
	if got := out.String(); strings.Contains(got, value) || strings.Contains(got, hexed) {
		t.Errorf("the secret shows:\n%s", got)
	}
	if !strings.Contains(out.String(), masked) {
		t.Errorf("no mask stands in its place:\n%s", out.String())
	}
	if s.Reveal() != value || !s.IsSet() || (Secret{}).IsSet() || (Secret{}).String() != "" {
		t.Error("a secret must reveal itself to who asks, and none must look like none")
	}
}

func TestSecretsAreAllFound(t *testing.T) {
	text, dir := base(t)
	text = strings.Replace(text, "  embedded:\n    dir: /var/lib/gongdan/nats\n", "  url: nats://bus:4222\n  token: env:WEIBAN_SECRET\n", 1)
	env := testEnv()
	want := []string{env["WEIBAN_SECRET"], env["TOKEN_KEY"], env["WEIBAN_SECRET"], env["CALLBACK_TOKEN"], env["CALLBACK_KEY"], "kingdee-hunter2-secret"}
	if diff := cmp.Diff(want, mustLoad(t, text, dir).Secrets()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func TestTokenKeyAlphabets(t *testing.T) {
	for text, ok := range map[string]bool{
		"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=":                     true,
		"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY":                      true,
		"_-EyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY":                      true,
		"30313233343536373839616263646566303132333435363738396162636465ff": true,
		"30313233343536373839616263646566303132333435363738396162636465":   false,
		"MDEyMzQ1Njc4OWFiY2RlZg==":                                         false,
		"":                                                                 false,
	} {
		if key, got := tokenKey(text); got != ok || ok && len(key) != 32 {
			t.Errorf("tokenKey(%q) = %d bytes, %v; want %v", text, len(key), got, ok)
		}
	}
}
