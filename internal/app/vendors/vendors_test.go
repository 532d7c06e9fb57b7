package vendors_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/telemetry"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

const bridge = `dispatcher: {calls: {timeout: 5s, read_timeout: 5s}}
tenants:
  - name: acme
    mapping: acme.yaml
    weiban:
      {base_url: %q, corp_id: %q, secret: "env:SECRET", receivers: [ww1], callbacks: [{token: "env:TOKEN", encoding_aes_key: "env:KEY"}]}
    kingdee:
      {account_id: "1", app: {client_id: a, client_secret: "env:SECRET", outer_instance_id: b}, photos: {mode: %s, hosts: [a.example], timeout: 7s}}
`

// settings are a configuration with one tenant of w.
func settings(t *testing.T, w *fakeweiban.Server, photos string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"acme.yaml": "", "bridge.yaml": fmt.Sprintf(bridge, w.URL(), w.CorpID(), photos)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"SECRET": w.Secret(), "TOKEN": "token", "KEY": "c2FuZGJveC1hZXMta2V5LW9mLTMyLWJ5dGVzLWxvbmc"}
	cfg, err := config.Load(filepath.Join(dir, "bridge.yaml"), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func weiban(t *testing.T) *fakeweiban.Server {
	t.Helper()
	w, err := fakeweiban.New(fakeweiban.Options{Secret: "the-secret-of-weiban"})
	if err == nil {
		err = w.Start(t.Context(), "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Pictures are uploaded where the configuration says so, and then the call's deadline
// is later by their time.
func TestPictures(t *testing.T) {
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	w, conn := weiban(t), bustest.New(t)
	for mode, bound := range map[string]time.Duration{config.PhotosPass: 5 * time.Second, config.PhotosUpload: 12 * time.Second} {
		cfg := settings(t, w, mode)
		b, err := vendors.NewBuilder(cfg, tel, conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.Build(cfg.Tenants[0], func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if (c.Photos != nil) != (mode == config.PhotosUpload) || b.CallBound(cfg.Tenants[0]) != bound {
			t.Errorf("%s: uploads %t, a call ends within %s", mode, c.Photos != nil, b.CallBound(cfg.Tenants[0]))
		}
		c.Close()
		c.Close()
	}
}

// The staff list is read with the configured credentials, without any dispatcher.
func TestStaff(t *testing.T) {
	list, err := vendors.Staff(t.Context(), settings(t, weiban(t), config.PhotosPass), bustest.New(t), "acme")
	if err != nil || len(list) == 0 || list[0].ID == "" || list[0].Name == "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// A callback's keys come out of the configuration; without any the program must not
// start.
func TestCallbackCodec(t *testing.T) {
	acme := settings(t, weiban(t), config.PhotosPass).Tenants[0]
	if codec, err := vendors.CallbackCodec(acme); err != nil || codec == nil {
		t.Error(err)
	}
	acme.Weiban.Callbacks = nil
	if _, err := vendors.CallbackCodec(acme); err == nil {
		t.Error("a codec without keys")
	}
}
