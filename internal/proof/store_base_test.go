package proof

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// fate is what has to become of a callback.
type fate int

const (
	ignored   fate = iota // no rule wants it
	called                // one handling record
	buried                // the mapping cannot fill it: an open letter
	discarded             // a person has closed its letter
)

// promise is one callback and what has to become of it.
type promise struct {
	fakeweiban.Notice

	want  fate
	bill  string
	state string // of the bill after the call: F after a visit, H after a close
	late  bool   // sent after the copy of the store was taken
	fresh bool   // sent after the accident
}

// tale is the story that the base and every row tell their simulated Weiban, with
// the same numbers, ids and times.
type tale struct {
	c     *customer
	lives []*life
	told  []promise
}

// The orders of a tale, by index; each has its own bill.
const (
	toldEarly = 6  // orders 0–5: applied before the copy is taken
	billLate  = 8  // 6–7: wait for a bill at the copy, are applied after it
	toldLate  = 16 // 8–15: applied after the copy
	buryEarly = 16 // letters that are open, one of before the copy, one of after it
	buryLate  = 17
	discard   = 18 // a letter that was discarded before the copy
	waitEarly = 19 // there is no bill yet
	waitLate  = 20
	unread    = 21 // Weiban's API does not answer for it
	allOrders = 22
	someOrder = 100 // bills of orders that come after the accident
)

func tell(t *testing.T, c *customer) *tale {
	t.Helper()
	x := &tale{c: c}
	for i := range allOrders {
		late := i >= billLate && i < toldLate || i == buryLate || i == waitLate || i == unread
		want := called
		switch i {
		case buryEarly, buryLate:
			want = buried
		case discard:
			want = discarded
		}
		x.order(t, i, want, late, false)
	}
	return x
}

// order lets an order be created and visited.
func (x *tale) order(t *testing.T, i int, want fate, late, fresh bool) *life {
	t.Helper()
	staff, cause := fakeweiban.Roster(), "配件老化"
	if want == buried || want == discarded {
		cause = "无人知晓" // no table knows it
	}
	l := &life{bill: fakekingdee.BillNo(i), handler: staff[(i+1)%len(staff)].ID}
	x.c.passed.Add(int64(time.Minute))
	birth, err := x.c.Weiban.Create(fakeweiban.NewOrder{
		Title: fmt.Sprintf("报修 %d", i), Creator: staff[i%len(staff)].ID, Handler: l.handler,
		Answers: []fakeweiban.Answer{
			{Type: "input", Title: "金蝶工单号", Values: []string{l.bill}},
			{Type: "select", Title: "问题原因", Values: []string{cause}},
			{Type: "select", Title: "处理方案", Values: []string{"更换配件"}},
			{Type: "select", Title: "处理结果", Values: []string{"已修复"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.number = birth.Key
	x.lives = append(x.lives, l)
	visit := x.c.visit(t, l, staff[(i+2)%len(staff)].ID)
	x.told = append(x.told, promise{Notice: birth, want: ignored, bill: l.bill, late: late, fresh: fresh},
		promise{Notice: visit, want: want, bill: l.bill, state: fakekingdee.StatusHandling, late: late, fresh: fresh})
	return l
}

// end closes an order, after the accident.
func (x *tale) end(t *testing.T, l *life) {
	t.Helper()
	x.told = append(x.told, promise{Notice: x.c.end(t, l), want: called, bill: l.bill, state: fakekingdee.StatusDone, fresh: true})
}

// notices are those of the story that which says yes to.
func (x *tale) notices(which func(promise) bool) (out []fakeweiban.Notice) {
	for _, p := range x.told {
		if which(p) {
			out = append(out, p.Notice)
		}
	}
	return out
}

// base is a store that real programs have filled, and what the vendors know of it.
type base struct {
	in    *installation
	epoch time.Time
	seed  uint64
}

// set is that of the base and of every row.
func (b *base) set(t *testing.T) set {
	s := roomy()
	s.epoch = b.epoch
	s.Programs = programs(t)
	s.Dispatcher = "  ownership: {renew: 300ms, expire: 1500ms}\n" +
		strings.Replace(scaled, "sweeps: {expiry: 5s, doubles: 2s, trim: 5s, stalls: 2s}", "sweeps: {expiry: 2s, doubles: 1s, trim: 2s, stalls: 500ms}", 1)
	s.weiban.Callback.Senders = 1 // in the order of the story
	s.weiban.Callback.Tries, s.weiban.Callback.RetryWait, s.weiban.Callback.Timeout = 100, 100*time.Millisecond, 3*time.Second
	return s
}

// install writes the files of an installation whose orders wait long for their bill.
func (b *base) install(t *testing.T) *installation {
	t.Helper()
	in := install(t, b.seed, b.set(t))
	file := in.Path(in.customers[0].Name + "/mapping.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	patient := strings.Replace(string(text), "wait: 1m", "wait: 12h", 1)
	if err := os.WriteFile(file, []byte(patient), 0o600); err != nil || patient == string(text) {
		t.Fatalf("lengthen the wait for a bill: %v", err)
	}
	return in
}

// full is the folder of the store when all was told; half and killed are those of
// the copies that were taken before that, after a soft stop and after kill -9.
func (b *base) full() string   { return b.in.Path("nats") }
func (b *base) half() string   { return b.in.Path("half") }
func (b *base) killed() string { return b.in.Path("killed") }

// newBase tells the tale to real programs, and takes copies of the store in the midst
// of it; at its end the programs are stopped softly.
func newBase(t *testing.T) *base {
	t.Helper()
	b := &base{epoch: time.Now().Truncate(time.Second), seed: seed(t)}
	b.in = b.install(t)
	c := b.in.customers[0]
	for i := range allOrders {
		if i >= toldEarly && i < billLate || i == waitEarly || i == waitLate {
			continue
		}
		c.Kingdee.AddBill(fakekingdee.Bill{OrderNo: fakekingdee.BillNo(i)})
	}
	x := tell(t, c)
	c.WeibanFaults.Add(script.Fault{Kind: script.Status, Status: 503, API: fakeweiban.APIOrder, Key: x.lives[unread].number, Times: -1})

	b.phase(t, x, false, 3, 2)
	b.discard(t, x)
	for _, p := range b.in.Processes() {
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	b.copy(t, b.killed())
	if err := b.in.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.stop(t)
	b.copy(t, b.half())
	for i := toldEarly; i < billLate; i++ {
		c.Kingdee.AddBill(fakekingdee.Bill{OrderNo: fakekingdee.BillNo(i)})
	}
	b.phase(t, x, true, 3, 2)
	b.stop(t)
	if got := len(c.Kingdee.Records("")); got != toldLate {
		t.Fatalf("%d handling records before any accident, want %d", got, toldLate)
	}
	return b
}

// phase starts the programs, sends one half of the tale, and waits until nothing
// is left but what waits.
func (b *base) phase(t *testing.T, x *tale, late bool, waits, letters int) {
	t.Helper()
	if err := b.in.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := b.in.customers[0]
	c.Weiban.Post(t.Context(), x.notices(func(p promise) bool { return p.late == late })...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	books := b.in.books()
	until(t, patience, 100*time.Millisecond, "the base is told", func() (bool, string) {
		x, err := inspect.BalanceOf(t.Context(), books.bus, c.Name, b.epoch.Add(-time.Hour), func(string, uint64, uint64) {})
		if err != nil {
			return false, err.Error()
		}
		waiting, inHand := 0, 0
		for _, n := range x.Waiting {
			waiting += n
		}
		for _, n := range x.InHand {
			inHand += n
		}
		return waiting >= waits && x.DeadOpen == letters && inHand == 0 && x.Unexplained == 0, fmt.Sprintf("%+v", x)
	})
}

// discard closes the letter of the order that is to have none.
func (b *base) discard(t *testing.T, x *tale) {
	t.Helper()
	for _, l := range b.in.books().letters(t) {
		if l.Key != x.lives[discard].number {
			continue
		}
		r, err := b.in.Run(t.Context(), programs(t).Dispatcher, "dead", "discard", strconv.FormatUint(l.Number, 10), "--reason", "nothing to do", "--who", "clerk")
		if err != nil || r.Status != 0 {
			t.Fatalf("discard: %v, status %d, %s", err, r.Status, r.Stderr)
		}
		return
	}
	t.Fatal("the order whose letter is to be discarded has none")
}

func (b *base) copy(t *testing.T, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(b.full())); err != nil {
		t.Fatal(err)
	}
}

func (b *base) stop(t *testing.T) {
	t.Helper()
	if err := b.in.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
