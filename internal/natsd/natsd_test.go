package natsd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/tokenfile"
)

func TestRestartKeepsWhatWasConfirmed(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	b := bustest.Connect(t, s, bus.Options{})
	const n = 50
	for i := range n {
		publish(t, b, callback(i))
	}
	rev := must(b.Bucket(bus.State).Put(within(t), "order.acme.work_order.1", []byte("{}")))(t)
	url, token := s.URL(), s.Token()
	stop(t, s)

	port := portOf(t, s)
	s = start(t, natsd.Options{Dir: dir, Port: port})
	if s.URL() != url || s.Token() != token {
		t.Errorf("the server is at %s now, was at %s; same token: %t", s.URL(), url, s.Token() == token)
	}
	b = bustest.Connect(t, s, bus.Options{})
	if page := must(b.Page(within(t), bus.Callbacks, "", 1, 2*n))(t); len(page) != n {
		t.Errorf("%d messages are there, %d were confirmed", len(page), n)
	}
	if e := must(b.Bucket(bus.State).Get(within(t), "order.acme.work_order.1"))(t); e.Revision != rev {
		t.Errorf("the record has revision %d, had %d", e.Revision, rev)
	}
	if ack := publish(t, b, callback(3)); !ack.Duplicate {
		t.Error("the message ids were forgotten")
	}
}

func TestTakenPort(t *testing.T) {
	l := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address is %v", l.Addr())
	}
	dir := t.TempDir()
	_, err := natsd.Start(within(t), natsd.Options{MaxStore: 20 << 30, Dir: dir, Port: addr.Port})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d on 127.0.0.1 is taken by another program", addr.Port)) {
		t.Fatalf("error is %v", err)
	}
	start(t, natsd.Options{Dir: dir}) // and the directory is free again
}

func TestSecondProcessOnOneStore(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	out, err := child(t, "start", dir)
	want := fmt.Sprintf("store %s is in use by process %d", dir, os.Getpid())
	if err == nil || !strings.Contains(out, want) {
		t.Fatalf("the second process ended with %v and said %q, want %q", err, out, want)
	}
	stop(t, s)
	if out, err := child(t, "start", dir); err != nil {
		t.Fatalf("after the first has stopped the second ended with %v and said %q", err, out)
	}
}

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "beside", "token")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, natsd.Options{Dir: filepath.Join(dir, "store"), TokenFile: path})
	info := must(os.Stat(path))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	if token := must(tokenfile.Read(path))(t); token != s.Token() || len(token) != 64 {
		t.Errorf("the file holds another token, of %d characters", len(token))
	}
	if left := must(os.ReadDir(filepath.Dir(path)))(t); len(left) != 1 {
		t.Errorf("%v is left beside the token", left)
	}
	b := must(bus.Connect(within(t), bus.Options{URL: s.URL(), TokenFile: path}))(t)
	if err := b.Close(within(t)); err != nil {
		t.Error(err)
	}
	for name, content := range map[string]string{"short": "abc", "long": strings.Repeat("x", 600), "two lines": "0123456789abcdef\n0123456789abcdef"} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := natsd.Start(within(t), natsd.Options{MaxStore: 20 << 30, Dir: t.TempDir(), TokenFile: bad})
		if err == nil || !strings.Contains(err.Error(), bad) || strings.Contains(err.Error(), content) {
			t.Errorf("%s: error is %v, want one that names the file and not what is in it", name, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"no directory": "", "a file": file} {
		if _, err := natsd.Start(within(t), natsd.Options{MaxStore: 20 << 30, Dir: dir}); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// A stream whose files are damaged must stop the start: it would be made anew, empty.
func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	publish(t, bustest.Connect(t, s, bus.Options{}), callback(1))
	stop(t, s)
	meta := filepath.Join(dir, "jetstream", "$G", "streams", bus.Callbacks, "meta.inf")
	if err := os.WriteFile(meta, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, err := natsd.Start(within(t), natsd.Options{MaxStore: 20 << 30, Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err == nil || !strings.Contains(err.Error(), bus.Callbacks) {
		t.Fatalf("error is %v, want one that names the stream; the log is\n%s", err, &log)
	}
}

func TestFullDisk(t *testing.T) {
	out, err := child(t, "full", t.TempDir())
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// fillTheDisk runs in a child: the limit on the size of a file stands for the disk,
// since it can be had without privileges and lifted again.
func fillTheDisk(dir string, out io.Writer) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	s, err := natsd.Start(ctx, natsd.Options{
		Dir: dir, MaxStore: 20 << 30, RetryMin: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond, HealthEvery: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	b, err := ready(ctx, s)
	if err != nil {
		return err
	}
	const limit = 1 << 20
	if err := fileSize(limit); err != nil {
		return err
	}
	confirmed, err := flood(ctx, b)
	if !errors.Is(err, bus.ErrUnreachable) && !errors.Is(err, bus.ErrFull) {
		return fmt.Errorf("on the full disk publish said: %w", err)
	}
	if confirmed == 0 {
		return errors.New("nothing was stored before the disk was full")
	}
	if fault := <-s.Err(); fault == nil {
		return errors.New("the server reports no fault")
	}
	if s.Ready() == nil {
		return errors.New("the server says that it is ready")
	}
	for fault := <-s.Err(); !strings.Contains(fmt.Sprint(fault), "cannot come back yet"); fault = <-s.Err() {
		if fault == nil {
			return errors.New("the server came back to a full disk")
		}
	}
	if err := fileSize(1 << 40); err != nil {
		return err
	}
	for fault := range s.Err() {
		if fault == nil {
			break
		}
	}
	if err := s.Ready(); err != nil {
		return err
	}
	return errors.Join(whole(ctx, s, confirmed), b.Close(ctx), s.Stop(ctx))
}

// whole checks that all that was confirmed is there, and that more can be stored.
func whole(ctx context.Context, s *natsd.Server, confirmed int) error {
	b, err := ready(ctx, s)
	if err != nil {
		return err
	}
	page, err := b.Page(ctx, bus.Callbacks, "", 1, 10*confirmed)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, m := range page {
		there[m.ID()] = true
	}
	for i := range confirmed {
		if !there[callback(i).ID] {
			return fmt.Errorf("message %d of %d confirmed is lost", i, confirmed)
		}
	}
	if _, err := b.Publish(ctx, callback(1_000_000)); err != nil {
		return err
	}
	return b.Close(ctx)
}

func ready(ctx context.Context, s *natsd.Server) (*bus.Bus, error) {
	b, err := bus.Connect(ctx, bus.Options{URL: s.URL(), Token: s.Token()})
	if err != nil {
		return nil, err
	}
	return b, b.Provision(ctx)
}

// flood publishes until something fails, and gives how many were confirmed.
func flood(ctx context.Context, b *bus.Bus) (int, error) {
	for i := 0; ; i++ {
		m := callback(i)
		m.Data = make([]byte, 32<<10)
		one, cancel := context.WithTimeout(ctx, time.Second)
		_, err := b.Publish(one, m)
		cancel()
		if err != nil {
			return i, err
		}
	}
}

func fileSize(limit uint64) error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
		return err
	}
	r.Cur = min(limit, r.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r)
}
