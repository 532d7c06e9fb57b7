package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

const deploy = "../../deploy"

// There is no container runtime where the tests run: what can be known of the files without one is
// known here.

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// secretNames are the variables that secrets.env.example offers.
func secretNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(readDeploy(t, "secrets.env.example")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			names = append(names, name)
			if value != "" {
				t.Errorf("secrets.env.example holds a value for %s", name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestExamplesAreSound(t *testing.T) {
	env := map[string]string{}
	for _, name := range secretNames(t) {
		env[name] = "0123456789abcdef-" + strings.ToLower(name)
	}
	env["GONGDAN_TOKEN_KEY"] = testEnv()["TOKEN_KEY"]
	env["ACME_CALLBACK_AES_KEY"] = testEnv()["CALLBACK_KEY"]
	asked := map[string]bool{}
	lookUp := func(name string) (string, bool) {
		asked[name] = true
		value, ok := env[name]
		return value, ok
	}
	schema := compile(t)
	for _, name := range []string{"bridge.yaml", "bridge.compose.yaml"} {
		c, err := Load(filepath.Join(deploy, name), lookUp)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, readDeploy(t, name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.Tenants[0].DryRun {
			t.Errorf("%s: an example must not write to Kingdee", name)
		}
		if _, err := os.Stat(c.Tenants[0].Mapping); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(secretNames(t), slices.Sorted(maps.Keys(asked))); diff != "" {
		t.Errorf("variables (-secrets.env.example +examples):\n%s", diff)
	}
}

// What the example shows as a default, commented out, is the default.
func TestExampleShowsTheDefaults(t *testing.T) {
	text := readDeploy(t, "bridge.yaml")
	for _, shown := range []struct{ path, line string }{
		{"nats.embedded.port", "# port: 4250 "},
		{"nats.embedded.max_store", "# max_store: 20GiB "},
		{"ingest.admin", "# admin: 127.0.0.1:9090 "},
		{"ingest.max_clock_skew", "# max_clock_skew: 0s "},
		{"dispatcher.admin", "# admin: 127.0.0.1:9091\n"},
		{"dispatcher.concurrency", "# concurrency: 16 "},
		{"dispatcher.retries.quick_tries", "quick_tries: 6\n"},
		{"dispatcher.retries.waits", "waits: [30s, 2m, 10m, 30m, 1h, 2h]\n"},
		{"dispatcher.retries.give_up", "give_up: 24h\n"},
		{"tenants[].weiban.per_minute", "# per_minute: 595 "},
		{"tenants[].kingdee.marker", "# marker: true "},
		{"nats.streams.callbacks.max_bytes", "callbacks: {max_bytes: 2GiB,"},
		{"nats.streams.events.max_bytes", "events: {max_bytes: 8GiB,"},
		{"nats.streams.events.max_age", "8GiB, max_age: 720h}"},
		{"nats.streams.dead.max_bytes", "dead: {max_bytes: 1GiB}"},
	} {
		if spec := specsByPath()[shown.path]; !strings.Contains(text, shown.line) || !strings.Contains(shown.line, spec.Default) {
			t.Errorf("%s: the example does not show %q, or the default is not that but %q", shown.path, shown.line, spec.Default)
		}
	}
}

// compose is what the tests need of a compose file.
type compose struct {
	Services map[string]struct {
		Image   string   `yaml:"image"`
		Command []string `yaml:"command"`
		Build   struct {
			Context, Dockerfile, Target string
		} `yaml:"build"`
		Volumes   []string `yaml:"volumes"`
		Ports     []string `yaml:"ports"`
		EnvFile   []string `yaml:"env_file"`
		ReadOnly  bool     `yaml:"read_only"`
		CapDrop   []string `yaml:"cap_drop"`
		DependsOn map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func TestComposeFitsItsFiles(t *testing.T) {
	var c compose
	if err := yaml.Load([]byte(readDeploy(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if want := "nats:" + moduleVersion(t, "github.com/nats-io/nats-server/v2") + "-alpine"; c.Services["nats"].Image != want {
		t.Errorf("the image of nats is %s; the server that the bridge is built with is %s", c.Services["nats"].Image, want)
	}
	targets := strings.Join(stages(t), " ")
	for _, name := range []string{"ingest", "dispatcher"} {
		s := c.Services[name]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.DependsOn["nats"].Condition != "service_healthy" || !slices.Equal(s.EnvFile, []string{"secrets.env"}) {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Build.Dockerfile != "deploy/Dockerfile" || s.Build.Target != name || !strings.Contains(targets, s.Build.Target) {
			t.Errorf("%s is built from %+v; the Dockerfile has %s", name, s.Build, targets)
		}
	}
	for name, s := range c.Services {
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, named := c.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join(deploy, source)); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") && port != "8080:8080" {
				t.Errorf("%s opens %s to the world", name, port)
			}
		}
	}
}

// moduleVersion is a module's version in go.mod, without the v; "go" is the language's.
func moduleVersion(t *testing.T, module string) string {
	t.Helper()
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` v?(\S+)`).FindSubmatch(b)
	if found == nil {
		t.Fatalf("go.mod does not name %s", module)
	}
	return string(found[1])
}

// stages are the names of the Dockerfile's stages.
func stages(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^FROM \S+ AS (\S+)$`).FindAllStringSubmatch(readDeploy(t, "Dockerfile"), -1) {
		names = append(names, found[1])
	}
	return names
}

func TestDockerfileIsStaticAndWithoutRoot(t *testing.T) {
	text := readDeploy(t, "Dockerfile")
	language := strings.Split(moduleVersion(t, "go"), ".")
	image := regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+)\.\d+-alpine AS build$`).FindStringSubmatch(text)
	if image == nil || image[1] != strings.Join(language[:2], ".") {
		t.Errorf("the Dockerfile builds with %v, go.mod wants %v", image, language)
	}
	for _, want := range []string{"CGO_ENABLED=0", "-tags timetzdata", "./cmd/ingest ./cmd/dispatcher", "FROM scratch AS base", "ca-certificates.crt", "\nUSER 65532:65532\n", "ENV GONGDAN_CONFIG=/etc/gongdan/bridge.yaml"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	if diff := cmp.Diff([]string{"build", "base", "ingest", "dispatcher"}, stages(t)); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if strings.LastIndex(text, "USER ") > strings.Index(text, "AS ingest") {
		t.Error("a program's stage changes the user")
	}
}

func TestNATSConfigurationKeepsThePromise(t *testing.T) {
	plain := regexp.MustCompile(`#.*`).ReplaceAllString(readDeploy(t, "nats.conf"), "")
	settings := strings.Join(strings.Fields(plain), " ")
	for _, want := range []string{"sync_interval: always", "token: $NATS_TOKEN", "max_payload: 8MB", `http: "127.0.0.1:8222"`, `store_dir: "/data"`, "max_file_store: 20GB"} {
		if !strings.Contains(settings, want) {
			t.Errorf("nats.conf lacks %q", want)
		}
	}
}

func TestUnitsAreHardened(t *testing.T) {
	for program, after := range map[string]string{"ingest": "network-online.target", "dispatcher": "network-online.target gongdan-ingest.service"} {
		unit := map[string]string{}
		for line := range strings.Lines(readDeploy(t, "systemd/gongdan-"+program+".service")) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
				unit[key] += value
			}
		}
		for key, want := range map[string]string{
			"ExecStart": "/usr/local/bin/" + program + " --config /etc/gongdan/bridge.yaml", "EnvironmentFile": "/etc/gongdan/secrets.env", "User": "gongdan", "After": after,
			"StateDirectory": "gongdan", "StateDirectoryMode": "0700", "UMask": "0077", "Restart": "always", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": "",
			"SystemCallFilter": "@system-service~@privileged", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "WantedBy": "multi-user.target",
		} {
			if got, ok := unit[key]; !ok || got != want {
				t.Errorf("gongdan-%s.service: %s=%s, want %s", program, key, got, want)
			}
		}
	}
	if got := readDeploy(t, "systemd/gongdan.sysusers"); !strings.HasPrefix(got, "u gongdan ") {
		t.Errorf("the units' user is not made: %s", got)
	}
}
