package store

import (
	"errors"
	"log/slog"
	"testing"

	"gongdan-bridge/internal/history"
)

// It is not known that the store belongs together before the first look, nor after one
// that failed.
func TestWatchErr(t *testing.T) {
	w := NewWatch(Ports{}, 0, func() {}, slog.New(slog.DiscardHandler))
	if err := w.Err(); !errors.Is(err, errUnseen) {
		t.Errorf("before the first look: %v", err)
	}
	cannot := errors.New("look at the store: no answer")
	w.failed.Store(&cannot)
	if err := w.Err(); !errors.Is(err, cannot) {
		t.Errorf("after a look that failed: %v", err)
	}
	w.failed.Store(nil)
	if err := w.Err(); err != nil {
		t.Errorf("at work: %v", err)
	}
}

// The last note that is open and not mild ends the sentence.
func TestLastNote(t *testing.T) {
	s := &Store{}
	if s.LastNote() != "" {
		t.Errorf("of a store that fits: %q", s.LastNote())
	}
	s.record.Notes = []history.Note{{Store: "EVENTS", What: "was removed and made again"}, {What: "was not worked on", Mild: true}}
	if got := s.LastNote(); got != ": EVENTS was removed and made again" {
		t.Errorf("%q", got)
	}
}
