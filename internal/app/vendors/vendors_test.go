package vendors_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/telemetry"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

func settings() *config.Config {
	c := &config.Config{}
	c.Dispatcher.Calls = config.Calls{Timeout: 5 * time.Second, ReadTimeout: 5 * time.Second, MaxAnswer: 1 << 20, MaxWait: time.Second}
	c.Dispatcher.Breaker = config.Breaker{Failures: 3, OpenFor: time.Second}
	return c
}

func tenant(photos string) config.Tenant {
	t := config.Tenant{Name: "acme"}
	t.Weiban.InFlight, t.Weiban.PerMinute, t.Kingdee.InFlight, t.Kingdee.PerMinute = 2, 200, 2, 50
	t.Kingdee.Photos = config.Photos{Mode: photos, Timeout: 7 * time.Second, MaxBytes: 1 << 20, MaxCount: 3}
	t.Retries.QuickTries, t.Retries.QuickFirst = 2, 10*time.Millisecond
	return t
}

// Pictures are uploaded where the configuration says so, and then the call's deadline
// is later by their time.
func TestPictures(t *testing.T) {
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	b, err := vendors.NewBuilder(settings(), tel, bustest.New(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for mode, bound := range map[string]time.Duration{config.PhotosPass: 5 * time.Second, config.PhotosUpload: 12 * time.Second} {
		c := b.Build(tenant(mode), func(context.Context) error { return nil })
		if (c.Photos != nil) != (mode == config.PhotosUpload) || b.CallBound(tenant(mode)) != bound {
			t.Errorf("%s: uploads %t, a call ends within %s", mode, c.Photos != nil, b.CallBound(tenant(mode)))
		}
		c.Close()
		c.Close()
	}
}

// The staff list is read with the configured credentials, without any dispatcher.
func TestStaff(t *testing.T) {
	w, err := fakeweiban.New(fakeweiban.Options{Secret: "the-secret-of-weiban"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	cfg, acme := settings(), tenant(config.PhotosPass)
	acme.Weiban.BaseURL, acme.Weiban.CorpID, acme.Weiban.Secret = w.URL(), w.CorpID(), config.NewSecret(w.Secret())
	cfg.Tenants = []config.Tenant{{Name: "other"}, acme}
	list, err := vendors.Staff(t.Context(), cfg, bustest.New(t), "acme")
	if err != nil || len(list) == 0 || list[0].ID == "" || list[0].Name == "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// A callback's keys come out of the configuration; without any the program must not
// start.
func TestCallbackCodec(t *testing.T) {
	acme := tenant(config.PhotosPass)
	if _, err := vendors.CallbackCodec(acme); err == nil {
		t.Error("a codec without keys")
	}
	acme.Weiban.Receivers = []string{"ww1"}
	acme.Weiban.Callbacks = []config.CallbackKey{{Token: config.NewSecret("token"), EncodingAESKey: config.NewSecret("short")}}
	if _, err := vendors.CallbackCodec(acme); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a key of another length: %v", err)
	}
	acme.Weiban.Callbacks[0].EncodingAESKey = config.NewSecret("c2FuZGJveC1hZXMta2V5LW9mLTMyLWJ5dGVzLWxvbmc")
	codec, err := vendors.CallbackCodec(acme)
	if err != nil || codec == nil {
		t.Error(err)
	}
}
