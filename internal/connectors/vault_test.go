package connectors

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestVaults: both vaults compare and set, and name what is wrong.
func TestVaults(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	inner := MemoryVault()
	sealed, err := Sealed(inner, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]Vault{"memory": MemoryVault(), "sealed": sealed} {
		ctx := t.Context()
		if _, _, err := v.Load(ctx, "a"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("%s: load of nothing: %v", name, err)
		}
		if _, err := v.Save(ctx, "a", []byte("sesame"), 3); !errors.Is(err, ErrRace) {
			t.Errorf("%s: save over nothing: %v", name, err)
		}
		r, err := v.Save(ctx, "a", []byte("sesame"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Save(ctx, "a", []byte("other"), 0); !errors.Is(err, ErrRace) {
			t.Errorf("%s: second create: %v", name, err)
		}
		got, r2, err := v.Load(ctx, "a")
		if err != nil || string(got) != "sesame" || r != r2 {
			t.Errorf("%s: load: %q at %d, %v", name, got, r2, err)
		}
	}
	b, r, err := inner.Load(t.Context(), "a")
	if err != nil || strings.Contains(string(b), "sesame") {
		t.Errorf("the sealed entry is %q, %v", b, err)
	}
	for n := range len(b) {
		broken := append([]byte(nil), b...)
		broken[n] ^= 1
		if r, err = inner.Save(t.Context(), "a", broken, r); err != nil {
			t.Fatal(err)
		}
		if _, got, err := sealed.Load(t.Context(), "a"); !errors.Is(err, ErrSealed) || got != r {
			t.Fatalf("with byte %d changed: revision %d, %v", n, got, err)
		}
	}
	if _, err := inner.Save(t.Context(), "b", b, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sealed.Load(t.Context(), "b"); !errors.Is(err, ErrSealed) {
		t.Errorf("an entry under another name: %v", err)
	}
	if _, err := Sealed(inner, key[:16]); err == nil {
		t.Error("a short key was taken")
	}
}

// TestSharedOverSealed: an entry that was sealed with another key is replaced.
func TestSharedOverSealed(t *testing.T) {
	inner := MemoryVault()
	for n, char := range []string{"a", "b"} {
		v, err := Sealed(inner, []byte(strings.Repeat(char, 32)))
		if err != nil {
			t.Fatal(err)
		}
		is := &issuer{life: time.Hour}
		p := processes(1, v, is, nil)[0]
		if got, err := p.Get(t.Context()); err != nil || got != "token-1" || is.count() != 1 {
			t.Errorf("key %d: %q, %v after %d fetches", n, got, err, is.count())
		}
	}
}
