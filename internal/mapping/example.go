package mapping

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/textfile"
)

// Example is one event with what the mapping is expected to make of it, kept in
// a file of its own:
//
//	name: the technician closes           # the file's name if left out
//	event: {file: ../events/close.json}   # or in place: the data of an enriched event, or the whole CloudEvent
//	bill: {id: 2230413444614467584}       # what Kingdee would answer; stood in for if left out
//	expect:                               # one of body, ignored, failure
//	  rule: close
//	  late: letter
//	  bill: {orderNo: fwgs-20250717-00000001}
//	  body: {wxztid: H, …}                # all of it; empty texts and lists may be left out
//	  ignored: true
//	  failure: {field: handlemanid, word: LiYang}
type Example struct {
	Name   string
	File   string
	event  Recorded
	expect expectation
}

// expectation is `expect:`.
type expectation struct {
	Rule    string          `json:"rule"`
	Late    Late            `json:"late"`
	Bill    *BillRef        `json:"bill"`
	Body    json.RawMessage `json:"body"`
	Ignored bool            `json:"ignored"`
	Failure *struct {
		Field string `json:"field"`
		Word  string `json:"word"`
	} `json:"failure"`
}

// exampleFile is an example's file.
type exampleFile struct {
	Name   string          `json:"name"`
	Event  json.RawMessage `json:"event"`
	Bill   BillRef         `json:"bill"`
	Expect *expectation    `json:"expect"`
}

// ReadExamples reads the examples of a file, or of every .yaml, .yml and .json
// file of a directory, in the order of their names. The error is a [Faults].
func ReadExamples(path string) ([]Example, error) {
	files, err := exampleFiles(path)
	if err != nil {
		return nil, textfile.Faults{{File: path, Message: "cannot be read: " + cause(err)}}
	}
	var out []Example
	var faults textfile.List
	for _, f := range files {
		ex, err := readExample(f)
		if err != nil {
			faults.Merge(exampleFaults(f, err))
			continue
		}
		out = append(out, ex)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, textfile.Faults{{File: path, Message: "holds no examples", Expected: "files that end in .yaml, .yml or .json"}}
	}
	return out, nil
}

func exampleFaults(file string, err error) textfile.Faults {
	if f := textfile.Of(err); f != nil {
		return f
	}
	return textfile.Faults{{File: file, Message: err.Error()}}
}

func exampleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		known := slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(e.Name())))
		if known && e.Type().IsRegular() {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	return out, nil
}

func readExample(file string) (Example, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Example{}, fmt.Errorf("cannot be read: %s", cause(err))
	}
	return parseExample(file, b, os.ReadFile)
}

// parseExample is readExample of a text; read fetches the event's file.
func parseExample(file string, b []byte, read func(string) ([]byte, error)) (Example, error) {
	raw, err := yamlToJSON(file, b)
	if err != nil {
		return Example{}, err
	}
	var x exampleFile
	if err := strict(raw, &x); err != nil {
		return Example{}, err
	}
	ex := Example{Name: cmp.Or(x.Name, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))), File: file}
	switch {
	case len(x.Event) == 0:
		return ex, errors.New(`lacks "event"`)
	case x.Expect == nil:
		return ex, errors.New(`lacks "expect"`)
	}
	ex.expect = *x.Expect
	if n := ex.expect.ways(); n != 1 {
		return ex, fmt.Errorf("expect holds %d of body, ignored and failure; expected one", n)
	}
	var ref struct {
		File string `json:"file"`
	}
	event := x.Event
	if json.Unmarshal(event, &ref) == nil && ref.File != "" {
		if !filepath.IsAbs(ref.File) {
			ref.File = filepath.Join(filepath.Dir(file), ref.File)
		}
		if b, err = read(ref.File); err != nil {
			return ex, fmt.Errorf("event file %s cannot be read: %s", ref.File, cause(err))
		}
		if event, err = yamlToJSON(ref.File, b); err != nil {
			return ex, err
		}
	}
	ex.event, err = recorded(event)
	ex.event.Bill = x.Bill
	return ex, err
}

func (e expectation) ways() int {
	n := 0
	for _, given := range []bool{len(e.Body) > 0, e.Ignored, e.Failure != nil} {
		if given {
			n++
		}
	}
	return n
}

// recorded reads an enriched event's data, or the whole CloudEvent.
func recorded(raw []byte) (Recorded, error) {
	var envelope struct {
		SpecVersion string          `json:"specversion"`
		ID          string          `json:"id"`
		Subject     string          `json:"subject"`
		Time        time.Time       `json:"time"`
		Tenant      string          `json:"tenant"`
		Position    string          `json:"position"`
		Origin      string          `json:"origin"`
		Data        json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return Recorded{}, fmt.Errorf("event: %w", err)
	}
	data := json.RawMessage(raw)
	r := Recorded{Meta: Meta{ID: "example", Origin: "callback"}}
	if envelope.SpecVersion != "" {
		data, r.Key = envelope.Data, envelope.Subject
		r.Meta = Meta{ID: envelope.ID, Tenant: envelope.Tenant, Time: envelope.Time, Position: envelope.Position, Origin: envelope.Origin}
	}
	if err := json.Unmarshal(data, &r.Data); err != nil {
		return r, fmt.Errorf("event: %w", err)
	}
	r.Meta.Noun = events.WorkOrder
	if len(r.Data.Opportunity) > 0 {
		r.Meta.Noun = events.Opportunity
	}
	return r, nil
}

// yamlToJSON turns YAML (or JSON, which is YAML) into JSON, scalars taken as
// they are written: a 19-digit id keeps its digits.
func yamlToJSON(file string, b []byte) ([]byte, error) {
	r := newReader(file)
	var v any
	if root := r.Document(b, "an example"); root != nil {
		v = r.plain(root, 0)
	}
	if err := r.Faults.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// plain is a YAML value as JSON has it.
func (r *reader) plain(n *yaml.Node, level int) any {
	n = r.Resolve(n)
	if r.Spent(n, level) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for _, p := range r.Pairs(n, "", level) {
			out[p.Key.Value] = r.plain(p.Value, level+1)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, x := range n.Content {
			out = append(out, r.plain(x, level+1))
		}
		return out
	}
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		return nil
	case tag == "!!bool" && (n.Value == "true" || n.Value == "false"):
		return n.Value == "true"
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(n.Value)):
		return json.Number(n.Value)
	}
	return n.Value
}
