package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/textfile"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The secrets of the tests' configuration; none of them may ever be seen in a fault or a print.
func testEnv() map[string]string {
	return map[string]string{
		"TOKEN_KEY":      "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"WEIBAN_SECRET":  "weiban-hunter2-secret",
		"CALLBACK_TOKEN": "callback-hunter2-token",
		"CALLBACK_KEY":   "hunter2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"EMPTY":          " ",
		"TWO_LINES":      "hunter2\nhunter2",
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// base is the text of the smallest sound configuration; its directory holds the one secret that
// comes from a file.
func base(t *testing.T) (text, dir string) {
	t.Helper()
	b, err := os.ReadFile("testdata/bridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write(t, filepath.Join(dir, "client-secret"), "kingdee-hunter2-secret\n")
	return string(b), dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, text, dir string) (*Config, error) {
	t.Helper()
	c, err := Parse([]byte(text), filepath.Join(dir, "bridge.yaml"), lookup(testEnv()))
	if faults := textfile.Of(err); faults != nil { // the directory is another in each test
		for i := range faults {
			faults[i].File = filepath.Base(faults[i].File)
		}
	}
	return c, err
}

func mustLoad(t *testing.T, text, dir string) *Config {
	t.Helper()
	c, err := load(t, text, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// equal compares configurations by what they say, not by where it stands.
func equal() cmp.Options {
	return cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreFields(Config{}, "File")}
}

func TestLoadReadsTheFileAndFillsInDefaults(t *testing.T) {
	text, dir := base(t)
	write(t, filepath.Join(dir, "bridge.yaml"), text)
	c, err := Load(filepath.Join(dir, "bridge.yaml"), lookup(testEnv()))
	if err != nil {
		t.Fatal(err)
	}
	retries := Retries{
		QuickTries: 6, QuickFirst: 500 * time.Millisecond, QuickMax: 8 * time.Second,
		Waits:         []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour},
		JitterPercent: 20, GiveUp: 24 * time.Hour, MissingTries: 5, MissingYoung: 10 * time.Minute, InternalTries: 3,
	}
	want := Tenant{
		Name: "acme", Mapping: filepath.Join(dir, "acme/mapping.yaml"), Retries: retries,
		Weiban: Weiban{
			BaseURL: "https://open.weibanzhushou.com", CorpID: "1704174310933890049", PerMinute: 595, InFlight: 4,
			Secret:    Secret{from: "env:WEIBAN_SECRET", held: ptr("weiban-hunter2-secret")},
			Callbacks: []CallbackKey{{Token: Secret{from: "env:CALLBACK_TOKEN", held: ptr("callback-hunter2-token")}, EncodingAESKey: Secret{from: "env:CALLBACK_KEY", held: ptr(testEnv()["CALLBACK_KEY"])}}},
			Receivers: []string{"1704174310933890049"},
		},
		Kingdee: Kingdee{
			BaseURL: "https://api.kingdee.com", AccountID: "1234567890123456789", PerMinute: 495, InFlight: 4, Marker: true,
			AuthorityKey: "2c17e560c500f55c", AuthorityIV: "5e8y6w45ju8w9jq8",
			App: &KingdeeApp{ClientID: "012345", ClientSecret: Secret{from: "file:" + filepath.Join(dir, "client-secret"), held: ptr("kingdee-hunter2-secret")}, OuterInstanceID: "98765"},
			Photos: Photos{
				Mode: "pass", OnFailure: "wait", MaxBytes: 10 << 20, MaxCount: 9, Timeout: 30 * time.Second, Part: "file",
				Types: []string{"image/jpeg", "image/png", "image/gif", "image/webp"},
			},
		},
	}
	if diff := cmp.Diff([]Tenant{want}, c.Tenants); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(retries, c.Dispatcher.Retries); diff != "" {
		t.Errorf("dispatcher.retries (-want +got):\n%s", diff)
	}
	embedded := Embedded{Dir: "/var/lib/gongdan/nats", Port: 4250, TokenFile: "/var/lib/gongdan/nats.token", MaxStore: 20 << 30}
	if diff := cmp.Diff(embedded, c.NATS.Embedded); diff != "" {
		t.Errorf("nats.embedded (-want +got):\n%s", diff)
	}
	if got := string(c.Dispatcher.Key()); got != "0123456789abcdef0123456789abcdef" {
		t.Errorf("token key = %q", got)
	}
	if !c.NATS.IsEmbedded() || c.Ingest.Admin != "127.0.0.1:9090" || c.Dispatcher.Admin != "127.0.0.1:9091" {
		t.Errorf("listeners or embedding: %+v", c.Ingest)
	}
}

func ptr[T any](v T) *T { return &v }

// The corp id is what Weiban documents as the receiver; a further one takes nothing away.
func TestReceiversAddToTheCorpID(t *testing.T) {
	text, dir := base(t)
	for written, want := range map[string][]string{
		"[ww-other]":                      {"1704174310933890049", "ww-other"},
		"[ww-other, 1704174310933890049]": {"ww-other", "1704174310933890049"},
	} {
		written = strings.ReplaceAll(written, "1704174310933890049", `"1704174310933890049"`)
		c := mustLoad(t, strings.Replace(text, "    weiban:\n", "    weiban:\n      receivers: "+written+"\n      empty_receiver: true\n", 1), dir)
		if w := c.Tenants[0].Weiban; !slices.Equal(w.Receivers, want) || !w.EmptyReceiver {
			t.Errorf("receivers %s: %q, empty %t", written, w.Receivers, w.EmptyReceiver)
		}
	}
}

func TestTenantOverridesSingleRetries(t *testing.T) {
	text, dir := base(t)
	text = strings.Replace(text, "  token_key: env:TOKEN_KEY\n", "  token_key: env:TOKEN_KEY\n  retries: {give_up: 48h, waits: [1s]}\n", 1)
	text += "    retries: {waits: [5s, 1m], quick_tries: 1}\n"
	got := mustLoad(t, text, dir).Tenants[0].Retries
	if got.GiveUp != 48*time.Hour || got.QuickTries != 1 || got.JitterPercent != 20 {
		t.Errorf("retries = %+v, want give_up of the dispatcher, quick_tries of the tenant, jitter by default", got)
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Second, time.Minute}, got.Waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

func TestPrintIsAConfigurationThatSaysTheSameWithoutSecrets(t *testing.T) {
	text, dir := base(t)
	text += "    retries: {waits: [5s, 1m]}\n"
	c := mustLoad(t, text, dir)
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
	for _, line := range []string{"secret: env:WEIBAN_SECRET", "max_age: 720h # default", "waits: [5s, 1m]\n", `account_id: '1234567890123456789'`} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("print lacks %q:\n%s", line, out.String())
		}
	}
	if diff := cmp.Diff(c, mustLoad(t, out.String(), dir), equal()); diff != "" {
		t.Errorf("what was printed says something else (-file +print):\n%s", diff)
	}
}

func TestNameFitsSubjectsAndKeys(t *testing.T) {
	if got := (Dispatcher{Instance: "blue-1"}).Name(); got != "blue-1" {
		t.Errorf("name = %q, want the setting", got)
	}
	spec := Setting{Type: kindID}
	if got := (Dispatcher{}).Name(); !strings.Contains(got, "-") {
		t.Errorf("name = %q, want host and process id", got)
	} else if _, ok := spec.parse(got); !ok {
		t.Errorf("name = %q is not an id", got)
	}
}
