package bridge_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/events"
)

const asyncAPI = "schemas/asyncapi.yaml"

// TestAsyncAPI holds the contract for other services against the code that it
// is made from.
func TestAsyncAPI(t *testing.T) {
	want := document(contracts(t), oddities(t))
	if *update {
		if err := os.WriteFile(asyncAPI, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, asyncAPI), want); diff != "" {
		t.Errorf("%s (-file +code); `go test . -update` writes it:\n%s", asyncAPI, diff)
	}
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(want), &doc); err != nil {
		t.Fatal(err)
	}
	resolve(t, doc, doc, "")
}

// resolve follows every $ref of the document.
func resolve(t *testing.T, root map[string]any, node any, at string) {
	t.Helper()
	switch node := node.(type) {
	case []any:
		for i, x := range node {
			resolve(t, root, x, fmt.Sprint(at, "/", i))
		}
	case map[string]any:
		for k, x := range node {
			ref, ok := x.(string)
			if k != "$ref" || !ok {
				resolve(t, root, x, at+"/"+k)
				continue
			}
			local, inside := strings.CutPrefix(ref, "#/")
			if !inside {
				if _, err := os.Stat("schemas/" + strings.TrimPrefix(ref, "./")); err != nil {
					t.Errorf("%s: %v", at, err)
				}
				continue
			}
			var found any = root
			for step := range strings.SplitSeq(local, "/") {
				m, _ := found.(map[string]any)
				found = m[step]
			}
			if found == nil {
				t.Errorf("%s: %s leads nowhere", at, ref)
			}
		}
	}
}

// The document's fixed parts.
const (
	asyncHead = `# Written by "go test . -update" from the code; see asyncapi_test.go.
asyncapi: 3.0.0
info:
  title: Gongdan Bridge
  version: 1.0.0
  description: >-
    What other services may subscribe to: Weiban's callbacks, the enriched work orders and opportunities, and how each
    event ended in Kingdee, as CloudEvents 1.0 in structured JSON on NATS JetStream. Expect an event more than once, and
    tell copies by their id. In a subject every byte but letters, digits, - and _ is written =XX.
defaultContentType: application/cloudevents+json
servers:
  embedded:
    host: 127.0.0.1:%s
    protocol: nats
    description: The server inside ingest; nats.url names another one.
`
	asyncTail = `  parameters:
    tenant:
      description: The tenant's name in bridge.yaml.
    key:
      description: Weiban's order number, or the opportunity's id.
    event:
      description: Weiban's own word for what the callback is about.
    status:
      description: Weiban's own word for what happened.
  schemas:
    cloudevent:
      type: object
      required: [specversion, id, source, type, tenant]
      properties:
        specversion: {const: "1.0"}
        id: {type: string, description: "unique within the source"}
        source: {type: string, format: uri}
        type: {type: string}
        subject: {type: string, description: "the key"}
        time: {type: string, format: date-time}
        datacontenttype: {type: string}
        %s: {type: string}
        %s: {enum: [%s]}
        %s: {type: string, description: "id of the event that this one follows from"}
        %s: {type: string, format: date-time, description: "when the callback came; only where that stands in position in place of time"}
        %s: {type: string, description: "orders the events of one order; compare as text"}
        %s: {type: string, description: "the trace that it began with"}
        %s: {type: string}
        %s: {type: string, description: "what the content of a callback is known by"}
        %s: {type: string, description: "the same, whatever changes when it is delivered again"}
        %s: {type: string, description: "what was odd about the plaintext of a callback: %s, with commas between"}
        %s: {type: string, description: "why it cannot be told which order a callback is about; its data is then held to no schema"}
        data: true
        data_base64: {type: string}
`
)

// defaultOf returns the default of a setting.
func defaultOf(path string) string {
	for _, s := range config.Reference() {
		if s.Path == path {
			return s.Default
		}
	}
	return "no setting " + path
}

func document(all []contract, oddities []string) string {
	var b, messages strings.Builder
	fmt.Fprintf(&b, asyncHead+"channels:\n", defaultOf("nats.embedded.port"))
	for _, c := range all {
		id := channel(c)
		fmt.Fprintf(&b, "  %s:\n    address: %s\n    description: In stream %s.\n    parameters:\n", id, braces(c.subject), c.stream)
		for _, p := range []string{"tenant", "event", "status", "key"} {
			if strings.Contains(c.subject, strings.ToUpper(p)) {
				fmt.Fprintf(&b, "      %s: {$ref: '#/components/parameters/%s'}\n", p, p)
			}
		}
		fmt.Fprintf(&b, "    messages:\n      event: {$ref: '#/components/messages/%s'}\n", id)
		fmt.Fprintf(&messages, "    %s:\n      payload:\n        allOf:\n          - $ref: '#/components/schemas/cloudevent'\n", id)
		typ := "{const: " + c.typ + "}"
		if braces(c.typ) != c.typ {
			typ = "{type: string, description: " + fmt.Sprintf("%q", braces(c.typ)) + "}"
		}
		fmt.Fprintf(&messages, "          - properties:\n              type: %s\n              data: {$ref: './%s.schema.json'}\n", typ, c.schema)
	}
	b.WriteString("operations:\n")
	for _, c := range all {
		id := channel(c)
		fmt.Fprintf(&b, "  %s:\n    action: send\n    channel: {$ref: '#/channels/%s'}\n", id, id)
	}
	b.WriteString("components:\n  messages:\n" + messages.String())
	origins := []string{
		string(events.FromCallback), string(events.FromPoll), string(events.FromReconcile), string(events.FromBackfill),
	}
	fmt.Fprintf(&b, asyncTail, events.ExtTenant, events.ExtOrigin, strings.Join(origins, ", "), events.ExtCausation,
		events.ExtArrived, events.ExtPosition, events.ExtParent, events.ExtState, events.ExtContent, events.ExtIntake, events.ExtRepaired, strings.Join(oddities, ", "), events.ExtUnnumbered)
	return b.String()
}

// oddities are the words for what was repaired in a callback.
func oddities(t *testing.T) (words []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\todd\w+ += "(\w+)"`).FindAllStringSubmatch(read(t, "internal/connectors/weiban/repair.go"), -1) {
		words = append(words, m[1])
	}
	return words
}

// channel is the name of a type in the document.
func channel(c contract) string {
	if braces(c.typ) != c.typ {
		return "com.weibanzhushou.other.v1"
	}
	return c.typ
}

// braces writes the placeholders as AsyncAPI does.
func braces(s string) string {
	return strings.NewReplacer("TENANT", "{tenant}", "EVENT", "{event}", "STATUS", "{status}", "KEY", "{key}").Replace(s)
}
