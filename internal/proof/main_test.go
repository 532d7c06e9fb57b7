package proof

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
)

// role is what this binary is when it is run again as a program of a test.
const role = "GONGDAN_PROOF_ROLE"

func TestMain(m *testing.M) {
	do, ok := map[string]func(context.Context) error{"nats": natsRole, "dispatcher": dispatcherRole}[os.Getenv(role)]
	if !ok {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := do(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(role)+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// natsRole is a NATS server in a process of its own, over the directory and on
// the port that the environment names.
func natsRole(ctx context.Context) error {
	port, err := strconv.Atoi(os.Getenv("PROOF_NATS_PORT"))
	if err != nil {
		return err
	}
	s, err := bus.StartServer(ctx, bus.ServerOptions{
		Dir: os.Getenv("PROOF_NATS_DIR"), Port: port, TokenFile: os.Getenv("PROOF_NATS_TOKEN"),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), HealthEvery: 500 * time.Millisecond,
		RetryMin: 200 * time.Millisecond, RetryMax: time.Second,
	})
	if err != nil {
		return err
	}
	go func() {
		for err := range s.Err() {
			fmt.Fprintln(os.Stderr, "nats server:", err)
		}
	}()
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Stop(end)
}

// hurry multiplies the pace of every tenant.
func hurry(cfg *config.Config, factor int) {
	for i := range cfg.Tenants {
		cfg.Tenants[i].Weiban.PerMinute *= factor
		cfg.Tenants[i].Kingdee.PerMinute *= factor
	}
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

// built is the directory of the real programs, built once with their crash points.
var built = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.TempDir(), "gongdan-proof-"+strconv.Itoa(os.Getuid()))
	cmd := exec.Command("go", "build", "-tags", "crashpoints", "-o", dir+string(filepath.Separator),
		"gongdan-bridge/cmd/ingest", "gongdan-bridge/cmd/dispatcher")
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	return dir, cmd.Run()
})
