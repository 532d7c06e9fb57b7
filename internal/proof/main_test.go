package proof

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/testwing/harness"
)

// role is what this binary is when it is run again as a program of a test.
const role = "GONGDAN_PROOF_ROLE"

// builder builds the real programs with their crash points.
var builder = harness.Builder{Flags: []string{"-tags=crashpoints"}}

func TestMain(m *testing.M) {
	program := map[string]func(context.Context) error{
		"dispatcher":         dispatcherRole,
		"ingest at once":     func(ctx context.Context) error { return atOnceRole(ctx, app.Run.Ingest) },
		"dispatcher at once": func(ctx context.Context) error { return atOnceRole(ctx, app.Run.Dispatcher) },
	}[os.Getenv(role)]
	if program == nil {
		os.Exit(sideBySide(m))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := program(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(role)+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sideBySide runs more parallel tests at once than there are cores, for they wait
// more than they work. Those that measure are not parallel, and come first.
func sideBySide(m *testing.M) int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return builder.Main(m)
}

// programs are the real ones.
func programs(t *testing.T) harness.Programs {
	t.Helper()
	p, err := builder.Programs()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seed is that of the run, printed.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64() >> 1
	if text := os.Getenv("GONGDAN_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (GONGDAN_SEED=%d repeats it)", s, s)
	return s
}

// short is n, or the smaller count in a short run.
func short(n, less int) int {
	if testing.Short() {
		return less
	}
	return n
}

// pause is a part of a run's timetable, no wait for something to have happened:
// for that there is until.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// until polls ok until it says yes; it fails with what it said last.
func until(t *testing.T, patience, every time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		yes, said := ok()
		if yes {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: not after %v: %s", what, patience, said)
		}
		pause(ctx, every)
	}
}
