package memory_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

func TestPublish(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		m := enriched("7", "acme/a")
		for i, want := range []bus.Ack{
			{Stream: bus.Events, Sequence: 1}, {Stream: bus.Events, Sequence: 1, Duplicate: true},
		} {
			if got := must(f.Publish(t.Context(), m))(t); got != want {
				t.Errorf("%d. time: %+v, want %+v", i+1, got, want)
			}
		}
		// Ids are a stream's own.
		other := bus.Message{Subject: events.DeadSubject("acme", events.Handle, events.Rejected, events.WorkOrder, "7"), ID: "acme/a"}
		if got := must(f.Publish(t.Context(), other))(t); got != (bus.Ack{Stream: bus.Dead, Sequence: 1}) {
			t.Errorf("in another stream: %+v", got)
		}
		// Without an id nothing is a duplicate.
		none := enriched("7", "")
		f.publish(t, none, none)
		s := must(f.Get(t.Context(), bus.Events, 1))(t)
		if s.Stream != bus.Events || s.Subject != m.Subject || s.ID() != m.ID || string(s.Data) != string(m.Data) ||
			s.Header.Get("content-type") != m.ContentType || s.Header.Get("Gongdan-Replay") != "2" || time.Since(s.Time).Abs() > time.Minute {
			t.Errorf("stored %+v", s)
		}
		if u := must(f.Usage(t.Context(), bus.Events))(t); u.Messages != 3 || u.First != 1 || u.Last != 3 || u.MaxAge != 30*24*time.Hour {
			t.Errorf("usage %+v", u)
		}
		if f.MaxPayload() != 8<<20 {
			t.Errorf("payload %d", f.MaxPayload())
		}
		if _, err := f.Publish(t.Context(), bus.Message{Subject: "nobody.takes.this"}); err == nil {
			t.Error("a subject of no stream is taken")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Publish(ended, enriched("7", "late")); err == nil {
			t.Error("published under a context that had ended")
		}
		if _, err := f.Next(t.Context(), bus.Events, ">", 4); err == nil {
			t.Error("what was not taken is there")
		}
	})
}

func TestReadBack(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "1"), enriched("8", "2"), enriched("7", "3"), bus.Message{
			Subject: events.ReplaySubject("acme", events.Handle, events.WorkOrder, "7"), ID: "4",
		})
		filters := events.OrderFilters("acme", events.Handle, events.WorkOrder, "7")
		for _, tt := range []struct {
			subject string
			from    uint64
			want    uint64
		}{
			{filters[0], 0, 1},
			{filters[0], 1, 1},
			{filters[0], 2, 3},
			{filters[0], 4, 0},
			{filters[1], 1, 4},
			{enriched("7", "").Subject, 2, 3},
			{">", 2, 2},
			{"gongdan.acme.event.>", 4, 0},
			{"gongdan.*", 1, 0},
		} {
			s, err := f.Next(t.Context(), bus.Events, tt.subject, tt.from)
			if tt.want == 0 {
				is(t, err, bus.ErrNotFound)
			} else if err != nil || s.Sequence != tt.want {
				t.Errorf("next of %s from %d is %d (%v), want %d", tt.subject, tt.from, s.Sequence, err, tt.want)
			}
		}
		if err := f.Delete(t.Context(), bus.Events, 3); err != nil {
			t.Fatal(err)
		}
		is(t, f.Delete(t.Context(), bus.Events, 3), bus.ErrNotFound)
		for _, seq := range []uint64{0, 3, 9} {
			_, err := f.Get(t.Context(), bus.Events, seq)
			is(t, err, bus.ErrNotFound)
		}
		if d := cmp.Diff([]uint64{1, 2, 4}, sequences(must(f.Page(t.Context(), bus.Events, "", 1, 9))(t))); d != "" {
			t.Errorf("all (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]uint64{1}, sequences(must(f.Page(t.Context(), bus.Events, filters[0], 1, 9))(t))); d != "" {
			t.Errorf("of one order (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]uint64{2}, sequences(must(f.Page(t.Context(), bus.Events, "", 2, 1))(t))); d != "" {
			t.Errorf("one (-want +got):\n%s", d)
		}
		_, err := f.Get(t.Context(), "NONE", 1)
		is(t, err, bus.ErrUnprovisioned)
	})
}

func TestRequests(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		subject := events.ControlSubject("acme", "pause")
		_, err := f.Request(t.Context(), subject, nil)
		is(t, err, bus.ErrNoResponders)
		begun := make(chan struct{}, 1)
		end := must(f.Serve(subject, func(ctx context.Context, data []byte) []byte {
			if string(data) == "wait" {
				begun <- struct{}{}
				<-ctx.Done()
			}
			return append(data, '!')
		}))(t)
		if a := must(f.Request(t.Context(), subject, []byte("a")))(t); string(a) != "a!" {
			t.Errorf("answer %q", a)
		}
		answer := make(chan string, 1)
		go func() {
			a, err := f.Request(t.Context(), subject, []byte("wait"))
			if err != nil {
				a = []byte(err.Error())
			}
			answer <- string(a)
		}()
		receive(t, begun)
		end() // tells the one in hand to end, and waits for it
		if a := receive(t, answer); a != "wait!" {
			t.Errorf("answer of the one in hand %q", a)
		}
		end()
		_, err = f.Request(t.Context(), subject, nil)
		is(t, err, bus.ErrNoResponders)
	})
}

// The identity of a stream is its life, and how far it has come; what was removed from
// it changes neither. One that is missing is made again with another life.
func TestIdentity(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		ident := func(name string) bus.Identity { t.Helper(); return must(f.Identity(t.Context(), name))(t) }
		life := ident(bus.Events).Life
		if id := ident(bus.Events); life == "" || id.Missing || id.Last != 0 || id.First > 1 || id.MaxAge != 30*24*time.Hour {
			t.Fatalf("empty: %+v", id)
		}
		_, err := f.Last(t.Context(), bus.Events, "gongdan.*.event.>")
		is(t, err, bus.ErrNotFound)
		f.publish(t, enriched("7", "a"), enriched("8", "b"), enriched("7", "c"))
		newest := must(f.Last(t.Context(), bus.Events, "gongdan.*.event.>"))(t)
		if of8 := must(f.Last(t.Context(), bus.Events, enriched("8", "").Subject))(t); newest.Sequence != 3 || of8.Sequence != 2 {
			t.Errorf("newest of all %d, of one order %d", newest.Sequence, of8.Sequence)
		}
		for _, seq := range []uint64{1, 3} {
			if err := f.Delete(t.Context(), bus.Events, seq); err != nil {
				t.Fatal(err)
			}
		}
		if id := ident(bus.Events); id.Life != life || id.First != 2 || id.Last != 3 || !id.LastTime.Equal(newest.Time) {
			t.Errorf("after two were deleted: %+v; the newest came at %v", id, newest.Time)
		}
		if err := f.Delete(t.Context(), bus.Events, 2); err != nil {
			t.Fatal(err)
		}
		if id := ident(bus.Events); id.First != 4 || id.Last != 3 {
			t.Errorf("after all were deleted: %+v", id)
		}
		if missing := must(f.Mend(t.Context()))(t); len(missing) != 0 {
			t.Errorf("made %v, and nothing was missing", missing)
		}
		f.remove(t, bus.Events)
		if id := ident(bus.Events); !id.Missing {
			t.Errorf("removed: %+v", id)
		}
		_, err = f.Last(t.Context(), bus.Events, "gongdan.*.event.>")
		is(t, err, bus.ErrUnprovisioned)
		if missing := must(f.Mend(t.Context()))(t); !slices.Equal(missing, []string{bus.Events}) {
			t.Errorf("made %v", missing)
		}
		if id := ident(bus.Events); id.Missing || id.Life == life || id.Life == "" || id.Last != 0 {
			t.Errorf("made again: %+v", id)
		}
		must(f.bucket.Put(t.Context(), "x", nil))(t)
		if ident(bus.State).Last != 1 || ident(bus.State).Life == "" {
			t.Errorf("bucket: %+v", ident(bus.State))
		}
	})
}

// A message whose like was deleted within the window is stored again: the server
// remembers its id and no message.
func TestPublishOfAnIDWhoseMessageIsGone(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "a"))
		if ack := must(f.Publish(t.Context(), enriched("7", "a")))(t); !ack.Duplicate || ack.Sequence != 1 {
			t.Errorf("sent again: %+v", ack)
		}
		if err := f.Delete(t.Context(), bus.Events, 1); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if ack := must(f.Publish(t.Context(), enriched("7", "a")))(t); ack.Sequence != 2 {
				t.Errorf("sent again after it was deleted: %+v", ack)
			}
		}
		if m := must(f.Get(t.Context(), bus.Events, 2))(t); m.Subject != enriched("7", "a").Subject {
			t.Errorf("stored: %+v", m)
		}
	})
}
