package deadletter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
)

// A letter with which its order waits is closed by settling the order, and by
// nothing else until the order waits no more.
func TestLetterOfAWaitingOrder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		close func(*deadletter.Box, deadletter.Open) error
		want  deadletter.Audit
	}{
		{"settled", func(b *deadletter.Box, o deadletter.Open) error {
			return b.Settled(t.Context(), o, "send again", deadletter.Act{Who: "wang", Reason: "looked"})
		}, deadletter.Audit{Action: deadletter.ActionSettle, Reason: "looked", Word: "send again"}},
		{"replayed once it has gone on", func(b *deadletter.Box, o deadletter.Open) error {
			_, err := b.Replay(t.Context(), o.Number, deadletter.Act{Who: "wang", Left: true})
			return err
		}, deadletter.Audit{Action: deadletter.ActionReplay}},
		{"discarded once it has gone on", func(b *deadletter.Box, o deadletter.Open) error {
			_, err := b.Discard(t.Context(), o.Number, deadletter.Act{Who: "wang", Reason: "old", Left: true})
			return err
		}, deadletter.Audit{Action: deadletter.ActionDiscard, Reason: "old"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := time.Unix(1640250000, 0).UTC()
			b := deadletter.NewBox(bustest.New(t), func() time.Time { return at })
			l := letter(1, events.Unmapped)
			l.Waiting = true
			if err := b.Put(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			act := deadletter.Act{Who: "wang", Reason: "why not"}
			if _, err := b.Replay(t.Context(), 1, act); !errors.Is(err, deadletter.ErrWaits) {
				t.Errorf("replay of a letter whose order waits: %v", err)
			}
			o, err := b.Discard(t.Context(), 1, act)
			if !errors.Is(err, deadletter.ErrWaits) {
				t.Errorf("discard of a letter whose order waits: %v", err)
			}
			if err := tt.close(b, o); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Get(t.Context(), 1); !errors.Is(err, deadletter.ErrNoLetter) {
				t.Errorf("the letter is still open: %v", err)
			}
			want := tt.want
			want.Tenant, want.Who, want.At = "acme", "wang", at
			want.Letter = &deadletter.AuditedEvent{
				Number: 1, ID: l.ID, EventID: l.EventID, Stage: l.Stage, Kind: l.Kind, Noun: l.Noun, Key: l.Key,
				Reason: l.Reason, DiedAt: l.DiedAt,
			}
			if diff := cmp.Diff([]deadletter.Audit{want}, audits(t, b, "acme")); diff != "" {
				t.Errorf("audit (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNotesAreKeptApart(t *testing.T) {
	now := time.Unix(1640250000, 0).UTC()
	b := deadletter.NewBox(bustest.New(t), func() time.Time { now = now.Add(time.Millisecond); return now })
	for range 250 {
		for _, action := range []string{deadletter.ActionPause, deadletter.ActionResume} {
			if err := b.Note(t.Context(), deadletter.Audit{Action: action, Tenant: "acme", Stage: events.Handle, Who: "wang"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := audits(t, b, "acme"); len(got) != 500 || got[499].Action != deadletter.ActionResume || got[499].Stage != events.Handle {
		t.Errorf("%d lines", len(got))
	}
	if got := audits(t, b, "other"); len(got) != 0 {
		t.Errorf("another tenant has %v", got)
	}
}

func audits(t *testing.T, b *deadletter.Box, tenant string) (out []deadletter.Audit) {
	t.Helper()
	err := b.Audits(t.Context(), tenant, 1, func(a deadletter.Audit) error {
		out = append(out, a)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
