package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// trouble is an installation of real programs with a few orders that have ended,
// and callbacks still to be sent.
type trouble struct {
	in    *installation
	c     *customer
	books *books
	rest  []fakeweiban.Notice
}

func troubled(t *testing.T, servers int, prepare func(in *installation)) *trouble {
	t.Helper()
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 7))
	in := install(t, s, set{
		Options: harness.Options{Programs: programs(t), Servers: servers},
		weiban:  fakeweiban.Options{Callback: fakeweiban.Callback{Tries: 2, RetryWait: 100 * time.Millisecond, Timeout: 4 * time.Second}},
	})
	if prepare != nil {
		prepare(in)
	}
	for _, p := range in.Processes() {
		in.ready(in.keep(p, dice, harness.Keeping{}))
	}
	x := &trouble{in: in, c: in.customers[0], books: in.books()}
	in.clerk(x.books)
	lives, births := x.c.orders(t, short(40, 15), 0)
	notices := append(births, x.c.months(t, dice, lives, 5)...)
	x.rest = notices[len(births):]
	x.c.Weiban.Post(t.Context(), births...)
	x.books.settledAfter(t, x.c)
	return x
}

// refused is how many of the ids sent have been answered 503, and how many have
// found no answer at all.
func (x *trouble) refused() (busy, none int) {
	for _, d := range x.c.Weiban.Ledger() {
		for _, a := range d.Attempts {
			switch a.Status {
			case 503:
				busy++
			case 0:
				none++
			}
		}
	}
	return busy, none
}

// recovered sends everything again that was not accepted, as Weiban's people can,
// and holds the books.
func (x *trouble) recovered(t *testing.T, again []fakeweiban.Notice) {
	t.Helper()
	until(t, patience, 500*time.Millisecond, "everything is accepted again", func() (bool, string) {
		left := 0
		for _, n := range again {
			if d, _ := x.c.Weiban.Delivery(n.ID); !d.Accepted() {
				left++
				x.c.Weiban.Post(t.Context(), n)
			}
		}
		if err := x.c.Weiban.Drain(t.Context()); err != nil {
			return false, err.Error()
		}
		return left == 0, fmt.Sprintf("%d are not", left)
	})
	x.books.settled(t, patience)
	x.books.audited(t)
	x.in.breaches()
	busy, none := x.refused()
	t.Logf("%d accepted, %d answers 503, %d without an answer, %v", x.c.Weiban.Accepted(), busy, none, x.books.outcomes)
}

// TestNATSRestarted: the server dies and comes back, with callbacks arriving.
func TestNATSRestarted(t *testing.T) {
	t.Parallel()
	x := troubled(t, 1, nil)
	for i := range 4 {
		if err := x.in.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		x.c.Weiban.Post(t.Context(), x.rest[i*len(x.rest)/4:(i+1)*len(x.rest)/4]...)
		x.in.ready(x.in.Servers[0])
	}
	x.recovered(t, x.rest)
}

// TestNATSUnreachable: the server answers nothing for longer than a claim lives;
// ingest says 503, and everything comes back by itself.
func TestNATSUnreachable(t *testing.T) {
	t.Parallel()
	x := troubled(t, 1, nil)
	nats := x.in.Servers[0]
	if err := nats.Suspend(); err != nil {
		t.Fatal(err)
	}
	x.c.Weiban.Post(t.Context(), x.rest[:len(x.rest)/2]...)
	until(t, patience, 20*time.Millisecond, "callbacks are answered 503 while the server is away", func() (bool, string) {
		busy, none := x.refused()
		return busy >= 16, fmt.Sprintf("%d are, %d have no answer", busy, none)
	})
	if err := nats.Resume(); err != nil {
		t.Fatal(err)
	}
	x.c.Weiban.Post(t.Context(), x.rest[len(x.rest)/2:]...)
	x.recovered(t, x.rest)
}

// TestDiskFull: the store of the server inside ingest lies on a disk of its own,
// which fills up. Ingest says 503; when there is room again the server comes back
// by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	var disk string
	x := troubled(t, 0, func(in *installation) {
		disk = in.Path("nats")
		mount(t, disk, 96<<20)
	})
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	x.c.Weiban.Post(t.Context(), x.rest[:len(x.rest)/2]...)
	if err := x.c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if busy, _ := x.refused(); busy == 0 {
		t.Error("no callback was answered 503 while the disk was full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	x.recovered(t, x.rest)
}

// TestStreamFull: CALLBACKS comes to its limit while nobody works. Ingest says 503;
// once a dispatcher works again, what is done is trimmed and callbacks are taken.
func TestStreamFull(t *testing.T) {
	t.Parallel()
	s := seed(t)
	o := roomy()
	o.NATS = "streams: {callbacks: {max_bytes: 1MiB}}"
	o.Dispatcher = strings.Replace(o.Dispatcher, "sweeps: {doubles: 1s}", "sweeps: {doubles: 1s, trim: 300ms}", 1)
	o.weiban.Callback = fakeweiban.Callback{Tries: 1, Timeout: 4 * time.Second}
	in := install(t, s, o)
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	lives, told := c.orders(t, 20, 0)
	for range 80 {
		for _, l := range lives {
			told = append(told, c.act(t, c.Weiban.Reply, l, fakeweiban.Act{Staff: l.handler, Text: "客户催促"}))
		}
	}
	x := &trouble{in: in, c: c, books: books}
	c.Weiban.Post(t.Context(), told...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy, _ := x.refused()
	if busy == 0 || c.Weiban.Accepted() == 0 {
		t.Errorf("%d callbacks were taken and %d refused while the stream filled up", c.Weiban.Accepted(), busy)
	}
	t.Logf("%d were taken before the stream was full", c.Weiban.Accepted())
	in.run("dispatcher", app.Run.Dispatcher, paceless)
	x.recovered(t, told)
}

// mount puts a small tmpfs at dir. Where that is not allowed the test cannot say
// what it is there to say, and fails.
func mount(t *testing.T, dir string, size int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk: run this one test as root, or under unshare -mr")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("mount a small tmpfs (needs root, or `unshare -mr`): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // the disk is full
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
