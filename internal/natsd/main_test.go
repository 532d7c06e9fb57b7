package natsd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
)

// childOf names what a child of the test binary is to do instead of testing.
const childOf = "GONGDAN_NATSD_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childOf); role != "" {
		if err := children()[role](os.Args[len(os.Args)-1], os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// children are the roles; each is given a directory.
func children() map[string]func(dir string, out io.Writer) error {
	return map[string]func(string, io.Writer) error{
		"start": startAndStop,
		"full":  fillTheDisk,
	}
}

// child runs one role in a process of its own and gives what it printed.
func child(t *testing.T, role, dir string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], dir)
	cmd.Env = append(os.Environ(), childOf+"="+role)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func startAndStop(dir string, _ io.Writer) error {
	s, err := natsd.Start(context.Background(), natsd.Options{MaxStore: 20 << 30, Dir: dir})
	if err != nil {
		return err
	}
	return s.Stop(context.Background())
}

// start starts a server whose end the test sees to.
func start(t testing.TB, o natsd.Options) *natsd.Server {
	t.Helper()
	o.MaxStore = 20 << 30
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := natsd.Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *natsd.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// within is a context that no sound step of a test outlives.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// must takes the result of a call in place and gives its value, or fails.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// callback is a message for stream CALLBACKS.
func callback(n int) bus.Message {
	return bus.Message{
		Subject: fmt.Sprintf("gongdan.acme.event.weiban.work_order_change.close.%d", n),
		ID:      fmt.Sprintf("acme/%d", n),
		Data:    fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func publish(t testing.TB, b *bus.Bus, ms ...bus.Message) (last bus.Ack) {
	t.Helper()
	for _, m := range ms {
		ack, err := b.Publish(within(t), m)
		if err != nil {
			t.Fatal(err)
		}
		last = ack
	}
	return last
}

func portOf(t testing.TB, s *natsd.Server) int {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	return must(strconv.Atoi(port))(t)
}
