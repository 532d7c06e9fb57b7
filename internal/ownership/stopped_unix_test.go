//go:build unix

package ownership

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

// childEnv makes this test binary an instance of its own, that can be stopped.
const childEnv = "OWNERSHIP_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := child(); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child owns "acme" and acts for it as fast as it can: a line "acted" for each time
// that Check let it, "refused" for the first time that it did not, and then what
// became of a write under the old fence.
func child() error {
	ctx := context.Background()
	b, err := bus.Connect(ctx, bus.Options{URL: os.Getenv("OWNERSHIP_TEST_URL"), Token: os.Getenv("OWNERSHIP_TEST_TOKEN"), Name: "child"})
	if err != nil {
		return err
	}
	bucket := b.Bucket(bus.State)
	r, err := NewRunner(Options{Instance: os.Getenv(childEnv), Tenants: []string{"acme"}, Store: bucket, Settings: quick()})
	if err != nil {
		return err
	}
	return r.Run(ctx, func(t *Tenure) (Stop, error) {
		go func() {
			// The time is read before the look: a stop right behind the look, which
			// nothing can exclude, must not count as an act after the wake.
			for at := time.Now(); t.Check(ctx) == nil; at = time.Now() {
				fmt.Printf("acted %d\n", at.UnixNano())
			}
			fmt.Println("refused", t.Epoch)
			_, err := bucket.PutFenced(ctx, "order.acme.work_order.1", []byte("{}"), t.Fence)
			fmt.Println("fenced", errors.Is(err, bus.ErrFenced), err)
		}()
		return func(context.Context) error { return nil }, nil
	})
}

// A real process is stopped by SIGSTOP, robbed of its tenant, and woken: it acts no
// more, and its write is refused by the server.
func TestProcessStoppedAndWoken(t *testing.T) {
	s := bustest.Server(t)
	bucket := bustest.Connect(t, s, bus.Options{}).Bucket(bus.State)
	c := newCluster("acme")
	// The child is the one that is wanted while it lives.
	name, other := "a", "b"
	if Rendezvous("acme", []string{name, other}) == other {
		name, other = other, name
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name, "OWNERSHIP_TEST_URL="+s.URL(), "OWNERSHIP_TEST_TOKEN="+s.Token())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	// The reader ends with the pipe, so that Wait comes after it.
	defer func() {
		_ = cmd.Process.Kill() // it may have ended
		for range lines {
		}
		_ = cmd.Wait() // killed, as it should be
	}()
	first := <-lines
	if !strings.HasPrefix(first, "acted") {
		t.Fatalf("the child says %q", first)
	}
	stop := c.real(t, other, bucket)
	defer stop()
	signalled := make(chan error, 1)
	go func() { signalled <- cmd.Process.Signal(syscall.SIGSTOP) }()
	eventually(t, "the living takes over from the stopped", func() bool {
		select {
		case <-lines: // what the child said before it stopped must not fill the pipe
		default:
		}
		return c.owner("acme") != nil
	})
	if err := <-signalled; err != nil {
		t.Fatal(err)
	}
	taken := c.owner("acme").Since
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for line := range lines {
		var at int64
		switch {
		case strings.HasPrefix(line, "acted"):
			if _, err := fmt.Sscanf(line, "acted %d", &at); err != nil {
				t.Fatalf("the child says %q", line)
			}
			if time.Unix(0, at).After(taken) {
				t.Fatalf("the child acted %v after its tenant was taken", time.Unix(0, at).Sub(taken))
			}
		case strings.HasPrefix(line, "refused"):
			t.Log(line)
		case strings.HasPrefix(line, "fenced"):
			if !strings.HasPrefix(line, "fenced true") {
				t.Fatalf("the stale owner's write: %s", line)
			}
			return
		default:
			t.Fatalf("the child says %q", line)
		}
	}
	t.Fatal("the child ended")
}
