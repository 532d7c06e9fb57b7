package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/testwing/bustest"
)

// What an operator sees and does when a stream was lost: while nothing runs, while it
// is recovered, and after it was acknowledged.
func TestRecover(t *testing.T) {
	in := install(t)
	in.says("recover", "the first history of the store; it fits together", "acme done 0")
	stopIngest, stop := in.start(app.Run.Ingest), in.start(app.Run.Dispatcher)
	number := in.closed("fwgs-1")
	in.ended(number, events.Applied)
	in.says("recover --dry-run", "it fits together")
	stop()
	stopIngest()

	bustest.Remove(t, in.server, bus.Events)
	in.refuses("recover", "now EVENTS is not there: every stored callback", "may be missing: what was stored before", "does not fit together")
	if id, err := in.bus.Identity(t.Context(), bus.Events); err != nil || !id.Missing {
		t.Fatalf("the look made the stream: %+v, %v", id, err)
	}
	in.start(app.Run.Ingest) // which provisions
	in.refuses("recover", "now EVENTS was removed and made again")
	in.ends(2, "recover --run", "needs --reason")
	in.ends(2, "recover --run --acknowledge --reason x")
	in.refuses("recover --run --reason x", "nobody owns acme: it is looked at again as soon as a dispatcher does")
	in.refuses("owners", "acme released", "waits for its owner to begin")

	stop = in.start(app.Run.Dispatcher)
	in.until("all is looked at again", func() bool {
		out, _ := in.dispatcher("recover")
		return strings.Contains(out, "│ acme   │ done ")
	})
	in.refuses("recover", "EVENTS was removed and made again: every stored callback without an end is read again")
	in.says("owners", "acme owned", "EVENTS was removed and made again", "(dispatcher recover)")
	in.says("recover --acknowledge --who li", "acknowledged 1", "seen by li", "it fits together")
	in.says("recover --acknowledge --who li", "acknowledged 0")
	if out := in.says("owners"); strings.Contains(out, "EVENTS") {
		t.Error("what was acknowledged is shown on")
	}
	before, err := inspect.StoreRecord(t.Context(), in.bus)
	if err != nil {
		t.Fatal(err)
	}
	in.says("recover --run --reason 对不上 --who li", "is looked at again at the word of li: 对不上", "acme done", "it fits together")
	var s inspect.StoreState
	if err := json.Unmarshal([]byte(in.says("recover --json")), &s); err != nil || s.History == before.History || len(s.Tenants) != 1 || len(s.Notes) < 2 {
		t.Errorf("as JSON: %+v, %v", s, err)
	}
	if n := len(in.kingdee.Records("fwgs-1")); n != 1 {
		t.Errorf("%d handling records after everything was looked at again", n)
	}
	audited := map[string]int{}
	page, err := in.bus.Page(t.Context(), bus.Audit, "gongdan.acme.audit.*", 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page {
		audited[m.Subject[len("gongdan.acme.audit."):]]++
	}
	if audited["store_recover"] != 2 || audited["store_acknowledge"] != 1 {
		t.Errorf("audited: %v", audited)
	}
	stop()
}

// Who no longer waits for the owners is told that they go on.
func TestRecoverInterrupted(t *testing.T) {
	in := install(t)
	stop := in.start(app.Run.Dispatcher)
	in.until("there is a record", func() bool {
		r, err := inspect.StoreRecord(t.Context(), in.bus)
		return err == nil && r.Seen != nil
	})
	stop()
	state := in.bus.Bucket(bus.State)
	for key, value := range map[string]string{"owner.acme": `{"instance":"busy","epoch":7}`, "alive.busy": `{"session":"x","tenants":["acme"]}`} {
		if _, err := state.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	said, stderr := io.Pipe()
	go func() {
		ended <- cli.DispatcherMain(ctx, cli.Program{
			Args: []string{"recover", "--run", "--reason", "x", "-c", in.path}, Env: func(string) (string, bool) { return "", false },
			Stdout: io.Discard, Stderr: stderr,
		})
	}()
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "waiting for the owners") {
		t.Fatalf("it says %q, %v", line, err)
	}
	if r, err := inspect.StoreRecord(t.Context(), in.bus); err != nil || r.History == "" {
		t.Fatalf("record %+v, %v", r, err)
	}
	interrupt()
	if err := <-ended; cli.ExitStatus(err) != 1 || !strings.Contains(err.Error(), "the dispatchers go on") {
		t.Errorf("interrupted: %v", err)
	}
}

// The tables are as wide as a terminal, whatever is in them.
func TestRecoverFitsATerminal(t *testing.T) {
	in := install(t)
	stop := in.start(app.Run.Dispatcher)
	in.until("there is a record", func() bool {
		r, err := inspect.StoreRecord(t.Context(), in.bus)
		return err == nil && r.Seen != nil
	})
	stop()
	for _, name := range []string{bus.Callbacks, bus.Audit} {
		bustest.Remove(t, in.server, name)
	}
	for line := range strings.Lines(in.refuses("recover", "CALLBACKS is not there", "AUDIT is not there", "which letters people had closed before is not known")) {
		if n := len([]rune(strings.TrimSpace(line))); n > 80 && !strings.Contains(line, "store does not fit") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
