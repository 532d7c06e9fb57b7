package config

import (
	"strings"
	"testing"
	"time"
)

// Every row is whole: a meaning, a default that its own type and bounds allow, and no default
// beside "required".
func TestReferenceRowsAreSound(t *testing.T) {
	for _, s := range Reference() {
		if s.Meaning == "" || strings.ContainsAny(s.Meaning, "|\n") || s.Expected() == "" {
			t.Errorf("%s: no meaning, or one that breaks the table", s.Path)
		}
		if s.Required && s.Default != "" {
			t.Errorf("%s: required, and yet a default", s.Path)
		}
		if s.Default == "" || s.from != "" {
			continue
		}
		for text := range strings.SplitSeq(s.Default, ", ") {
			if _, ok := s.parse(text); !ok {
				t.Errorf("%s: the default %q is not %s", s.Path, text, s.Expected())
			}
		}
	}
}

func TestTableIsMarkdown(t *testing.T) {
	var b strings.Builder
	if err := Table(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(Reference())+2 {
		t.Fatalf("%d lines for %d settings", len(lines), len(Reference()))
	}
	for _, want := range []string{
		"| `ingest.max_body` | size, 1KiB to 4MiB | `1MiB` | The largest callback. A larger one is answered 413. |",
		"| `nats.replicas` | `1` `3` `5` | `1` | The number of copies of every stream and bucket in a cluster. |",
		"| `tenants[].weiban.secret` | secret | **required** | The secret of the OpenAPI. |",
		"| `tenants[].retries.give_up` | duration | `dispatcher.retries.give_up` | After this much waiting while the API was up, the event becomes a dead letter. |",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("the table lacks\n%s", want)
		}
	}
	for _, line := range lines {
		if strings.Count(line, "|") != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "1B": 1, "512KiB": 512 << 10, "3MiB": 3 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40} {
		got, err := ParseSize(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseSize(%q) = %v (%d), %v; want %d", text, got, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "MiB", "1 MiB", "1mib", "1MB", "-1B", "1.5GiB", "9223372036854775807B", "99999999TiB", "1KiBKiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %v, want an error", text, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Hour: "1h", 30 * 24 * time.Hour: "720h", 90 * time.Minute: "1h30m", time.Minute: "1m", 10 * time.Second: "10s", time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 1500 * time.Millisecond: "1.5s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%d) = %s, want %s", d, got, want)
		}
	}
}
