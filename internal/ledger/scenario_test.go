package ledger_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

var update = flag.Bool("update", false, "rewrite the scenarios' expected actions")

// Each file of testdata/scenarios is a script: comments, settings, and inputs
// ("> …"), each followed by the actions that it must lead to.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newScene(t).replay(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// scene is one order with a clock and a bucket of one key.
type scene struct {
	t      *testing.T
	s      ledger.Settings
	m      ledger.Moment
	o      ledger.Order
	bucket []byte
	writes int
}

func newScene(t *testing.T) *scene {
	s := ledger.Defaults("acme")
	s.Jitter, s.MaxHeld, s.Marker = 0, 2, true
	return &scene{t: t, s: s, m: ledger.Moment{At: begin}, o: ledger.Load(ledger.Record{})}
}

// replay runs the script's inputs and writes down what they lead to.
func (c *scene) replay(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line + "\n")
			for _, a := range c.step(strings.Fields(line[2:])) {
				out.WriteString("    " + a + "\n")
			}
		case strings.HasPrefix(line, "set "):
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "set ")), &c.s); err != nil {
				c.t.Fatalf("%s: %v", line, err)
			}
			out.WriteString(line + "\n")
		case !strings.HasPrefix(line, "    "):
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// step is one input; "+30s" ahead of it lets time pass, APIs being up or down.
func (c *scene) step(words []string) []string {
	if strings.HasPrefix(words[0], "+") {
		d, err := time.ParseDuration(words[0][1:])
		if err != nil {
			c.t.Fatal(err)
		}
		c.m.At = c.m.At.Add(d)
		for _, g := range []*ledger.Gate{&c.m.Detail, &c.m.Reads, &c.m.Uploads, &c.m.Writes} {
			if !g.Paused {
				g.Up += d
			}
		}
		words = words[1:]
	}
	switch words[0] {
	case "down", "up":
		gates := map[string]*ledger.Gate{"detail": &c.m.Detail, "reads": &c.m.Reads, "uploads": &c.m.Uploads, "writes": &c.m.Writes}
		gates[words[1]].Paused = words[0] == "down"
		return nil
	case "hold", "unhold":
		c.m.Held[ledger.Index(events.Stage(words[1]))] = words[0] == "hold"
		return nil
	case "crash":
		r, err := ledger.Decode(c.bucket)
		if err != nil {
			c.t.Fatal(err)
		}
		c.o = ledger.Load(r)
		return c.feed(ledger.Takeover{Quiet: c.m.At.Add(c.s.CallTimeout), Listed: r.Open()})
	}
	if words[0] == "recover" {
		return c.recover(words[1:])
	}
	return c.feed(parse(c.t, words))
}

func (c *scene) feed(in ledger.Input) []string {
	o, acts := ledger.Step(c.o, c.m, in, c.s)
	c.o = o
	var out []string
	for _, a := range acts {
		if w, ok := a.(ledger.Write); ok {
			c.writes++
			data, err := w.Record.Encode()
			if err != nil {
				c.t.Fatal(err)
			}
			c.bucket = data
		}
		out = append(out, c.tell(a))
	}
	return out
}

// parse reads an input.
func parse(t *testing.T, w []string) ledger.Input {
	opt := map[string]string{}
	var rest []string
	for _, x := range w[1:] {
		if k, v, ok := strings.Cut(x, "="); ok {
			opt[k] = v
		} else {
			rest = append(rest, x)
			opt[x] = "yes"
		}
	}
	var f *events.Failure
	if k := opt["fail"]; k != "" {
		f = &events.Failure{Kind: events.Kind(k), Reason: k}
		if v := opt["wait"]; v != "" {
			f.Wait, _ = time.ParseDuration(v)
		}
	}
	switch w[0] {
	case "delivered":
		return ledger.Delivered{Stage: events.Stage(rest[0]), Message: message(rest, opt), Again: opt["again"] != "", InOrder: opt["bell"] == ""}
	case "found":
		return ledger.Found{Stage: events.Stage(rest[0]), Message: message(rest, opt)}
	case "empty":
		return ledger.Empty{Stage: events.Stage(rest[0])}
	case "fetched":
		return ledger.Fetched{Failure: f}
	case "planned":
		return planned(opt, f)
	case "bill":
		return ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: "fwgs-1"}, Failure: f}
	case "entered":
		return ledger.Entered{Busy: opt["busy"] != ""}
	case "freed":
		return ledger.Freed{}
	case "status":
		return ledger.StatusRead{Status: rest[0], Failure: f}
	case "called":
		return ledger.Called{Failure: f, Before: opt["before"] != "", Without: opt["without"]}
	case "looked":
		n, _ := strconv.Atoi(opt["found"])
		return ledger.Looked{
			Sweep: opt["sweep"] != "", Found: n, Understood: opt["unread"] == "" && f == nil,
			Control: opt["nocontrol"] == "", Failure: f,
		}
	case "timer":
		return ledger.Timer{}
	case "resumed":
		return ledger.Resumed{On: ledger.API(rest[0])}
	case "person":
		seq, _ := strconv.ParseUint(rest[1], 10, 64)
		return ledger.Operator{Stage: events.Stage(rest[0]), Seq: seq, Word: ledger.Word(strings.Join(rest[2:], " ")), Who: "li", Why: "looked"}
	case "broke":
		seq, _ := strconv.ParseUint(rest[1], 10, 64)
		return ledger.Broke{Stage: events.Stage(rest[0]), Seq: seq, Failure: &events.Failure{Kind: events.Internal, Reason: "panicked"}}
	case "expiring":
		seq, _ := strconv.ParseUint(rest[1], 10, 64)
		return ledger.Expiring{Stage: events.Stage(rest[0]), Seq: seq}
	}
	t.Fatalf("no such input: %v", w)
	return nil
}

func message(rest []string, opt map[string]string) ledger.Message {
	seq, _ := strconv.ParseUint(rest[1], 10, 64)
	m := ledger.Message{Seq: seq, EventID: rest[2], Arrived: opt["arrived"] != "", Asked: opt["asked"] != "", Forced: opt["forced"]}
	m.Replay, _ = strconv.Atoi(opt["replay"])
	m.Generation, _ = strconv.Atoi(opt["generation"])
	at, _ := time.ParseDuration(opt["at"])
	m.Position = events.Position(begin.Add(at), seq)
	return m
}

func planned(opt map[string]string, f *events.Failure) ledger.Planned {
	p := ledger.Planned{
		Failure: f, NoRule: opt["norule"] != "", Otherwise: opt["letter"] != "", Rule: "close", Mapping: "v1",
		Late: ledger.Late(opt["late"]), Bill: ledger.Bill{OrderNo: "fwgs-1"}, IDs: strings.Split(opt["ids"], ","),
		Body: json.RawMessage(`{"orderNo": "fwgs-1"}`), Like: "l", Status: "F", Reopening: opt["reopening"] != "",
	}
	if s := opt["status"]; s != "" {
		p.Status = s
	}
	if b := opt["body"]; b != "" {
		p.Body = json.RawMessage(b)
	}
	return p
}

// tell writes an action down.
func (c *scene) tell(a ledger.Action) string {
	since := func(at time.Time) string { return "+" + at.Sub(c.m.At).String() }
	switch a := a.(type) {
	case ledger.Write:
		out := "write"
		if a.List {
			out = "list; write"
		}
		return out + tellProgress(c, " enrich", a.Record.Enrich) + tellProgress(c, " handle", a.Record.Handle) + tellEffects(a.Record)
	case ledger.Next:
		return fmt.Sprintf("next %s after %d", a.Stage, a.After)
	case ledger.Ack:
		return fmt.Sprintf("ack %s %d", a.Stage, a.Seq)
	case ledger.Drop:
		return fmt.Sprintf("drop %s %d", a.Stage, a.Seq)
	case ledger.Call:
		return fmt.Sprintf("call %s %s after %s until %s", a.Body, a.Marker, since(a.After), since(a.Deadline))
	case ledger.Look:
		return fmt.Sprintf("look for %s, sweep %t", a.Marker, a.Sweep)
	case ledger.Publish:
		out := fmt.Sprintf("publish %s", a.What)
		if a.LetterID != "" {
			out += fmt.Sprintf(" letter %s (%s: %s)", a.LetterID, a.Verdict.Fault.Kind, a.Verdict.Fault.Reason)
		}
		if a.ID != "" {
			out += " " + a.ID
		}
		if a.Verdict.Reason != "" && a.LetterID == "" {
			out += " (" + a.Verdict.Reason + ")"
		}
		if a.Verdict.DuplicateOf != "" {
			out += " duplicate of " + a.Verdict.DuplicateOf
		}
		if a.Verdict.DryRun {
			out += " with " + string(a.Body)
		}
		if a.Check {
			out += ", unless it is out"
		}
		return out
	case ledger.Wake:
		if a.At.IsZero() {
			return "wake never"
		}
		return "wake " + since(a.At) + strings.TrimRight(" "+string(a.On[0])+string(a.On[1]), " ")
	case ledger.Alert:
		return fmt.Sprintf("ALERT %s: %s", a.Why, a.Text)
	case ledger.Answer:
		if a.Refused != "" {
			return "refused: " + a.Refused
		}
		return "answer: done"
	default:
		return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a), "ledger."))
	}
}

func tellProgress(c *scene, name string, l ledger.Progress) string {
	out := ""
	if h := l.Head; h != nil {
		out += fmt.Sprintf(" %d waits: %s", h.Seq, h.Why)
		if h.On != "" {
			out += " " + string(h.On)
		}
		if h.Tries > 0 {
			out += fmt.Sprintf(" tries %d", h.Tries)
		}
	}
	if l.Last != nil {
		out += fmt.Sprintf(" %d %s", l.Last.Seq, l.Last.Outcome)
		if l.Last.Published {
			out += " published"
		}
	}
	if out == "" && l.Cursor == 0 {
		return ""
	}
	return fmt.Sprintf("%s@%d%s;", name, l.Cursor, out)
}

func tellEffects(r ledger.Record) string {
	var out string
	for _, e := range r.Effects {
		out += fmt.Sprintf(" [%s", strings.Join(e.IDs, "="))
		if e.Generation > 0 {
			out += fmt.Sprintf(" generation %d", e.Generation)
		}
		out += " " + string(e.State)
		if e.Sends > 0 {
			out += fmt.Sprintf(" sent %d", e.Sends)
		}
		if e.Without != "" {
			out += " without " + e.Without
		}
		if len(e.Body) > 0 {
			out += " with body"
		}
		out += "]"
	}
	return out
}
