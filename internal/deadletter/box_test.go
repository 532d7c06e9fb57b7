package deadletter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
)

func letter(n int, kind events.Kind) deadletter.Letter {
	l := deadletter.Letter{
		Tenant: "acme", Stage: events.Handle, Noun: events.WorkOrder, Key: fmt.Sprintf("14463775903810887%02d", n),
		EventID: fmt.Sprintf("m%d~enrich~0", n), Event: json.RawMessage(`{"specversion":"1.0"}`),
		DiedAt: time.Unix(1640244967, 0).UTC(), Stream: "EVENTS", Sequence: uint64(n), Callback: 1,
	}
	l.Fill(&events.Failure{Kind: kind, Reason: "table staff has no 李阳", Rule: "close", Field: "handlemanid", Word: "李阳"})
	l.ID = l.Tenant + "/" + l.EventID + "~handle~0"
	return l
}

func TestPutTwiceIsOneLetter(t *testing.T) {
	b := deadletter.NewBox(bustest.New(t), time.Now)
	want := letter(1, events.Unmapped)
	for range 2 {
		if err := b.Put(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	got, next, err := b.Page(t.Context(), deadletter.Filter{}, 0, 10)
	if err != nil || next != 0 {
		t.Fatal(next, err)
	}
	if diff := cmp.Diff([]deadletter.Open{{Number: 1, Letter: want}}, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func TestPagesAndFilters(t *testing.T) {
	b := deadletter.NewBox(bustest.New(t), time.Now)
	for n := range 25 {
		kind := events.Unmapped
		if n%5 == 0 {
			kind = events.Invalid
		}
		if err := b.Put(t.Context(), letter(n, kind)); err != nil {
			t.Fatal(err)
		}
	}
	count := func(f deadletter.Filter) (n int) {
		t.Helper()
		last := uint64(0)
		err := b.All(t.Context(), f, func(o deadletter.Open) error {
			if o.Number <= last {
				return fmt.Errorf("letter %d after %d", o.Number, last)
			}
			last = o.Number
			n++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		f    deadletter.Filter
		want int
	}{
		{deadletter.Filter{}, 25},
		{deadletter.Filter{Tenant: "other"}, 0},
		{deadletter.Filter{Kind: events.Invalid}, 5},
		{deadletter.Filter{Shelf: "business"}, 20},
		{deadletter.Filter{Stage: events.Enrich}, 0},
		{deadletter.Filter{Key: "1446377590381088707"}, 1},
	} {
		if got := count(tt.f); got != tt.want {
			t.Errorf("%+v: %d letters, want %d", tt.f, got, tt.want)
		}
	}
	page, next, err := b.Page(t.Context(), deadletter.Filter{Shelf: "system"}, 0, 2)
	if err != nil || len(page) != 2 || next == 0 {
		t.Fatalf("a page of two: %d, next %d, %v", len(page), next, err)
	}
	rest, next, err := b.Page(t.Context(), deadletter.Filter{Shelf: "system"}, next, 100)
	if err != nil || len(rest) != 3 || next != 0 {
		t.Fatalf("the rest: %d, next %d, %v", len(rest), next, err)
	}
}

func TestReplayClosesAndAudits(t *testing.T) {
	conn := bustest.New(t)
	at := time.Unix(1640250000, 0).UTC()
	b := deadletter.NewBox(conn, func() time.Time { return at })
	l := letter(1, events.Unmapped)
	if err := b.Put(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(t.Context(), 1, deadletter.Act{Who: "wang"}); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Next(t.Context(), "EVENTS", events.ReplaySubject("acme", events.Handle, events.WorkOrder, l.Key), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID() != "acme/m1~enrich~0/r1" || m.Header.Get(deadletter.HeaderReplay) != "1" || string(m.Data) != string(l.Event) {
		t.Errorf("replayed message: id %s, header %v", m.ID(), m.Header)
	}
	if _, err := b.Get(t.Context(), 1); !errors.Is(err, deadletter.ErrNoLetter) {
		t.Errorf("the letter is still open: %v", err)
	}
	s, err := conn.Next(t.Context(), "AUDIT", ">", 1)
	if err != nil {
		t.Fatal(err)
	}
	var a deadletter.Audit
	if err := json.Unmarshal(s.Data, &a); err != nil {
		t.Fatal(err)
	}
	if a.Action != "dead_replay" || a.Who != "wang" || !a.At.Equal(at) || a.Letter.Key != l.Key || s.Subject != "gongdan.acme.audit.dead_replay" {
		t.Errorf("audit %+v on %s", a, s.Subject)
	}
	if _, err := b.Replay(t.Context(), 1, deadletter.Act{Who: "wang"}); !errors.Is(err, deadletter.ErrNoLetter) {
		t.Errorf("a second replay: %v", err)
	}
}

func TestUncertainNeedsForceAndReason(t *testing.T) {
	conn := bustest.New(t)
	b := deadletter.NewBox(conn, time.Now)
	if err := b.Put(t.Context(), letter(1, events.Uncertain)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		act  deadletter.Act
		want error
	}{
		{deadletter.Act{}, deadletter.ErrUncertain},
		{deadletter.Act{Reason: "looked"}, deadletter.ErrUncertain},
		{deadletter.Act{Force: true}, deadletter.ErrNeedsReason},
	} {
		if _, err := b.Replay(t.Context(), 1, tt.act); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.act, err, tt.want)
		}
	}
	if _, err := b.Discard(t.Context(), 1, deadletter.Act{}); !errors.Is(err, deadletter.ErrNeedsReason) {
		t.Errorf("discard without a reason: %v", err)
	}
	if _, err := conn.Next(t.Context(), "EVENTS", ">", 1); !errors.Is(err, bus.ErrNotFound) {
		t.Fatalf("a refused replay was sent: %v", err)
	}
	if _, err := b.Replay(t.Context(), 1, deadletter.Act{Force: true, Reason: "no record\r\nin Kingdee 没有"}); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Next(t.Context(), "EVENTS", ">", 1)
	if err != nil || m.Header.Get(deadletter.HeaderForced) != "no record in Kingdee 没有" {
		t.Fatalf("forced replay: %v, %v", m.Header, err)
	}
}

func TestALetterWithoutItsEventIsNotReplayed(t *testing.T) {
	log := bustest.New(t)
	b := deadletter.NewBox(log, time.Now)
	l := letter(1, events.Invalid)
	l.Event = nil
	if err := b.Put(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(t.Context(), 1, deadletter.Act{Who: "wang"}); err == nil {
		t.Error("nothing was sent again, and nobody was told")
	}
	if _, err := log.Next(t.Context(), bus.Events, ">", 1); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("what was sent again: %v", err)
	}
}
