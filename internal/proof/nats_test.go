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
	"gongdan-bridge/internal/sandbox/fakeweiban"
)

// trouble is an installation whose NATS server is a process of its own, with a
// few orders that have ended, and callbacks still to be sent.
type trouble struct {
	in    *installation
	c     *customer
	books *books
	nats  *program
	rest  []fakeweiban.Notice
}

func troubled(t *testing.T, prepare func(in *installation), server func(in *installation) func() []string) *trouble {
	t.Helper()
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 7))
	in := install(t, s, set{weiban: fakeweiban.Options{Callback: fakeweiban.Callback{Tries: 2, RetryWait: 100 * time.Millisecond, Timeout: 4 * time.Second}}})
	if prepare != nil {
		prepare(in)
	}
	x := &trouble{in: in, c: in.customers[0]}
	var env func() []string
	if server != nil {
		env = server(in)
	}
	x.nats = keep(t, in.dir, "nats", dice, in.natsServer, env)
	until(t, 20*time.Second, 50*time.Millisecond, "the NATS server's token is there", func() (bool, string) {
		_, err := os.Stat(filepath.Join(in.dir, "nats.token"))
		return err == nil, fmt.Sprint(err)
	})
	x.books = in.books()
	keep(t, in.dir, "ingest", dice, in.real("ingest"), nil)
	keep(t, in.dir, "dispatcher", dice, in.real("dispatcher"), nil)
	lives, births := x.c.orders(t, short(40, 15), 0)
	notices := append(births, x.c.months(t, dice, lives, 5)...)
	x.rest = notices[len(births):]
	until(t, 20*time.Second, 50*time.Millisecond, "ingest answers", func() (bool, string) {
		err := x.c.weiban.Verify(t.Context(), false)
		return err == nil, fmt.Sprint(err)
	})
	x.c.weiban.Post(t.Context(), births...)
	x.books.settledAfter(t, x.c, 60*time.Second)
	return x
}

// refused is how many of the ids sent have been answered 503, and how many have
// found no answer at all.
func (x *trouble) refused() (busy, none int) {
	for _, d := range x.c.weiban.Ledger() {
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
	until(t, 60*time.Second, 500*time.Millisecond, "everything is accepted again", func() (bool, string) {
		left := 0
		for _, n := range again {
			if d, _ := x.c.weiban.Delivery(n.ID); !d.Accepted() {
				left++
				x.c.weiban.Post(t.Context(), n)
			}
		}
		if err := x.c.weiban.Drain(t.Context()); err != nil {
			return false, err.Error()
		}
		return left == 0, fmt.Sprintf("%d are not", left)
	})
	x.books.settled(t, 90*time.Second)
	x.books.audited(t)
	x.in.breaches()
	busy, none := x.refused()
	t.Logf("%d accepted, %d answers 503, %d without an answer, %v", x.c.weiban.Accepted(), busy, none, x.books.outcomes)
}

// TestNATSRestarted: the server dies and comes back, with callbacks arriving.
func TestNATSRestarted(t *testing.T) {
	x := troubled(t, nil, nil)
	for i := range 4 {
		x.nats.send(syscall.SIGKILL)
		x.c.weiban.Post(t.Context(), x.rest[i*len(x.rest)/4:(i+1)*len(x.rest)/4]...)
		wait(t.Context(), time.Second)
	}
	x.recovered(t, x.rest)
}

// TestNATSUnreachable: the server answers nothing for a scaled minute; ingest
// says 503, and everything comes back by itself.
func TestNATSUnreachable(t *testing.T) {
	x := troubled(t, nil, nil)
	x.nats.send(syscall.SIGSTOP)
	x.c.weiban.Post(t.Context(), x.rest[:len(x.rest)/2]...)
	wait(t.Context(), 6*time.Second)
	if busy, _ := x.refused(); busy == 0 {
		t.Error("no callback was answered 503 while the server was away")
	}
	x.nats.send(syscall.SIGCONT)
	x.c.weiban.Post(t.Context(), x.rest[len(x.rest)/2:]...)
	x.recovered(t, x.rest)
}

// TestDiskFull: the store lies on a disk of its own, which fills up. Ingest says
// 503; when there is room again the server comes back by itself.
func TestDiskFull(t *testing.T) {
	var disk string
	x := troubled(t, func(in *installation) {
		disk = filepath.Join(in.dir, "nats")
		mount(t, disk, 96<<20)
	}, nil)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	x.c.weiban.Post(t.Context(), x.rest[:len(x.rest)/2]...)
	if err := x.c.weiban.Drain(t.Context()); err != nil {
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
	s := seed(t)
	o := roomy()
	o.nats = ", streams: {callbacks: {max_bytes: 1MiB}}"
	o.settings = strings.Replace(o.settings, "sweeps: {doubles: 1s}", "sweeps: {doubles: 1s, trim: 300ms}", 1)
	o.weiban.Callback = fakeweiban.Callback{Tries: 1, Timeout: 4 * time.Second}
	in := install(t, s, o)
	c := in.customers[0]
	in.embedded()
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	lives, told := c.orders(t, 20, 0)
	for range 80 {
		for _, l := range lives {
			told = append(told, c.act(t, c.weiban.Reply, l, fakeweiban.Act{Staff: l.handler, Text: "客户催促"}))
		}
	}
	x := &trouble{in: in, c: c, books: books}
	c.weiban.Post(t.Context(), told...)
	if err := c.weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy, _ := x.refused()
	if busy == 0 || c.weiban.Accepted() == 0 {
		t.Errorf("%d callbacks were taken and %d refused while the stream filled up", c.weiban.Accepted(), busy)
	}
	t.Logf("%d were taken before the stream was full", c.weiban.Accepted())
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
