package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/testwing/script"
)

// teller prints the story line by line, columns aligned however wide the
// characters are. It takes its lines from the simulators' watchers and from the
// programs' own logs. Safe for concurrent use.
type teller struct {
	mu    sync.Mutex
	out   io.Writer
	bold  bool              // headings stand out
	names map[string]string // order number → its name in the story
}

func newTeller(out io.Writer) *teller {
	return &teller{out: out, bold: terminal(out) && os.Getenv("NO_COLOR") == "", names: map[string]string{}}
}

// terminal reports whether a person looks at what is written; a file or a pipe
// gets plain text.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	i, err := f.Stat()
	return err == nil && i.Mode()&os.ModeCharDevice != 0
}

// name gives an order or a bill a name that a reader can follow.
func (t *teller) name(key, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[key] = name
}

func (t *teller) line(who, what, key, how string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.names[key]; n != "" {
		key = n
	}
	// The terminal is gone: nobody is left to tell.
	_, _ = fmt.Fprintln(t.out, strings.TrimRight(time.Now().Format("15:04:05.000")+"  "+
		text.Pad(who, 13, ' ')+" "+text.Pad(what, 22, ' ')+" "+text.Pad(key, 24, ' ')+" "+how, " "))
}

// heading begins a chapter.
func (t *teller) heading(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bold {
		s = text.Bold.Sprint(s)
	}
	_, _ = fmt.Fprintf(t.out, "\n%s\n", s)
}

func (t *teller) print(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintln(t.out, s)
}

// vendor tells what a simulator saw: calls and callbacks, not its own changes.
func (t *teller) vendor(e script.Event) {
	who := map[string]string{"weiban": "微伴 Weiban", "kingdee": "金蝶 Kingdee"}[e.Vendor]
	switch e.What {
	case "callback":
		t.line(who, "callback "+e.API, e.Key, "answered "+e.Outcome)
	case "call":
		how := e.Outcome
		if e.Fault != script.None {
			how += " (scripted fault: " + string(e.Fault) + ")"
		}
		t.line(who, e.API, e.Key, how)
	}
}

// log is a writer for a program's log: it tells what each stage did.
func (t *teller) log() io.Writer { return &logLines{t: t} }

type logLines struct{ t *teller }

// attempt is what the story needs of the log line of an attempt.
type attempt struct {
	Msg     string `json:"msg"`
	Stage   string `json:"stage"`
	Order   string `json:"order"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Kind    string `json:"kind"`
	Cause   string `json:"cause"`
	Tries   int    `json:"tries"`
}

// Write takes one JSON log line at a time, as slog writes them.
func (l *logLines) Write(b []byte) (int, error) {
	var a attempt
	if json.Unmarshal(b, &a) != nil || a.Msg != "attempt" {
		return len(b), nil
	}
	how := a.Outcome
	if a.Reason != "" {
		how += " (" + a.Reason + ")"
	}
	if a.Tries > 1 {
		how += fmt.Sprintf(", %d tries", a.Tries)
	}
	if a.Kind != "" {
		how += ": " + a.Cause
	}
	l.t.line("桥 bridge", "stage "+a.Stage, a.Order, how)
	return len(b), nil
}

// stay says how to look around while the sandbox is up.
func (t *teller) stay(cfg, order string, p ports) {
	t.heading("The sandbox stays up until Ctrl-C. 沙箱继续运行,按 Ctrl-C 结束。")
	t.print(fmt.Sprintf(`  dead letters   go run ./cmd/dispatcher dead list -c %[1]s
  one order      go run ./cmd/dispatcher order show %[5]s -c %[1]s
  all accounts   go run ./cmd/dispatcher balance -c %[1]s
  added rows     go run ./cmd/dispatcher mapping table list -c %[1]s
  a trial        go run ./cmd/dispatcher mapping preview -c %[1]s
  readiness      http://127.0.0.1:%[2]d/readyz  http://127.0.0.1:%[3]d/readyz
  metrics        http://127.0.0.1:%[2]d/metrics http://127.0.0.1:%[3]d/metrics
  callbacks      http://127.0.0.1:%[4]d/weiban/acme`, cfg, p.ingestAdmin, p.dispatcherAdmin, p.callbacks, order))
}
