package config

import (
	"fmt"
	"io"
	"strings"
)

// Setting is one row of the table of everything that bridge.yaml may hold.
type Setting struct {
	// Path is where it stands; [] stands for each element of a list: tenants[].weiban.corp_id.
	Path string
	// Type is one of: section, list, text, name, id, ids, address, url, hosts, servers, path, word,
	// words, switch, count, duration, durations, size, secret. docs/configuration.md explains each; see also
	// [Setting.Expected].
	Type string
	// Default is what holds where nothing is written, as it would be written; "" for nothing. Where
	// it is another setting's path, that setting's value holds.
	Default string
	// Meaning is one line for a person.
	Meaning string
	// Required settings have no default and must be there.
	Required bool
	// Min and Max bound counts, durations and sizes, as they would be written; "" for no bound.
	Min, Max string
	// Words are the only values allowed, empty for any.
	Words []string

	// from is the path whose value is the default.
	from string
	// check looks at a value that its type allows, and returns what was found and what was
	// expected; found is "" where all is well.
	check func(value string) (found, expected string)
}

// Reference is every setting, in the order of the file: the sections nats, ingest, dispatcher,
// telemetry, tenants. The decoder, the defaults, the table of docs/configuration.md and the JSON Schema of
// bridge.yaml all come from it.
func Reference() []Setting {
	var all []Setting
	all = append(all, natsSettings()...)
	all = append(all, ingestSettings()...)
	all = append(all, dispatcherSettings()...)
	retries := retrySettings("dispatcher.retries")
	all = append(all, retries...)
	all = append(all, backgroundSettings()...)
	all = append(all, telemetrySettings()...)
	all = append(all, tenantSettings()...)
	all = append(all, weibanSettings()...)
	all = append(all, kingdeeSettings()...)
	all = append(all, photoSettings()...)
	all = append(all, inherited(retries, "dispatcher.retries", "tenants[].retries")...)
	return all
}

// inherited is the same settings once more at another place, with the first place's values as defaults.
func inherited(settings []Setting, from, to string) []Setting {
	copies := make([]Setting, 0, len(settings))
	for _, s := range settings {
		own := s
		own.Path = to + strings.TrimPrefix(s.Path, from)
		if s.Type == kindSection {
			own.Meaning = "this tenant's own, setting by setting"
		} else {
			own.from, own.Default = s.Path, s.Path
		}
		copies = append(copies, own)
	}
	return copies
}

// Table writes [Reference] as a Markdown table, the one that stands in docs/configuration.md and that
// `config reference` prints.
func Table(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| setting | type | default | meaning |\n|---|---|---|---|\n")
	for _, s := range Reference() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Path, s.shortType(), s.shortDefault(), s.Meaning)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write configuration table: %w", err)
	}
	return nil
}

func (s Setting) shortType() string {
	if len(s.Words) > 0 {
		return "`" + strings.Join(s.Words, "` `") + "`"
	}
	switch {
	case s.Min != "" && s.Max != "":
		return s.Type + ", " + s.Min + " to " + s.Max
	case s.Max != "":
		return s.Type + ", at most " + s.Max
	default:
		return s.Type
	}
}

func (s Setting) shortDefault() string {
	switch {
	case s.Required:
		return "**required**"
	case s.Default == "":
		return ""
	default:
		return "`" + s.Default + "`"
	}
}

func specsByPath() map[string]Setting {
	specs := map[string]Setting{}
	for _, s := range Reference() {
		specs[s.Path] = s
	}
	return specs
}
