package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// Setting is one setting of bridge.yaml, read from the tags of its field in [Config].
//
// The tags are yaml (its name), type (where the Go type does not say it), default, min,
// max, words, required, check (a function of checks), from (the section whose values
// are the defaults) and doc (the meaning; |x| is code). The default of a section sets
// the defaults of its members: max_bytes=2GiB.
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

// Reference is every setting, in the order of the file. The decoder, the defaults, the table of
// docs/configuration.md and the JSON Schema of bridge.yaml all come from it.
func Reference() []Setting { return settings(reflect.TypeFor[Config](), "", Setting{}) }

// settings are the settings within a section, which is t in Go.
func settings(t reflect.Type, at string, section Setting) []Setting {
	defaults := map[string]string{}
	for part := range strings.SplitSeq(section.Default, ",") {
		if name, value, ok := strings.Cut(part, "="); ok {
			defaults[name] = value
		}
	}
	var all []Setting
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		s := settingOf(f, at+name)
		if value, ok := defaults[name]; ok {
			s.Default = value
		}
		if section.from != "" {
			s.from = section.from + "." + name
			s.Default = s.from
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch own := s; s.Type {
		case kindList:
			all = append(append(all, s), settings(inner.Elem(), s.Path+"[].", Setting{})...)
		case kindSection:
			s.Default, s.from = "", ""
			all = append(append(all, s), settings(inner, s.Path+".", own)...)
		default:
			all = append(all, s)
		}
	}
	return all
}

func settingOf(f reflect.StructField, path string) Setting {
	s := Setting{
		Path: path, Type: f.Tag.Get("type"), Default: f.Tag.Get("default"), Min: f.Tag.Get("min"), Max: f.Tag.Get("max"),
		Required: f.Tag.Get("required") != "", Words: strings.Fields(f.Tag.Get("words")), from: f.Tag.Get("from"),
		Meaning: strings.ReplaceAll(f.Tag.Get("doc"), "|", "`"), check: checks(f.Tag.Get("check")),
	}
	if s.Type == "" {
		s.Type = kindOf(f.Type)
	}
	return s
}

// kindOf is the type of a setting whose Go type says it.
func kindOf(t reflect.Type) string {
	kinds := map[reflect.Type]string{
		reflect.TypeFor[bool](): kindSwitch, reflect.TypeFor[int](): kindCount, reflect.TypeFor[Size](): kindSize, reflect.TypeFor[Secret](): kindSecret,
		reflect.TypeFor[time.Duration](): kindDuration, reflect.TypeFor[[]time.Duration](): kindDurations,
	}
	switch kind, ok := kinds[t]; {
	case ok:
		return kind
	case t.Kind() == reflect.Slice:
		return kindList
	default:
		return kindSection
	}
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
