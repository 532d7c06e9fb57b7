// Package store is an owner's way to what is stored beside its orders' records: whether the
// streams are still those that the owner began with, what they tell of an order whose record
// does not fit them, and the events and letters that a verdict implies.
//
// It decides nothing: package ledger says what is to be published and what a recovery means.
// Package dispatch calls it, from the goroutine of an order's actor.
package store

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// Log is what is needed of the streams.
type Log interface {
	Publish(ctx context.Context, m bus.Message) (bus.Ack, error)
	Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error)
	Next(ctx context.Context, stream, subject string, from uint64) (bus.Stored, error)
	Usage(ctx context.Context, stream string) (bus.Usage, error)
	MaxPayload() int64
}

// Letters is the box that dead letters go into.
type Letters = deadletter.Box

// Options are what a [Store] needs.
type Options struct {
	Tenant    string
	Account   string // Kingdee's account set id, the source of outcome events
	Log       Log
	State     orders.Reader
	Consumers orders.Consumers
	Letters   *Letters
	Events    *events.Codec
	Keeper    *history.Keeper
	Tenure    *ownership.Tenure
	MaxFuture time.Duration
	Logger    *slog.Logger
}

// Store is what is stored of one owned tenant, in the history that the owner began with. It
// is safe for concurrent use once it is open.
type Store struct {
	Options
	record   history.Record // as it was when the tenant was taken
	closings closings
}

// New returns the store of a tenant; it must be opened.
func New(o Options) *Store {
	return &Store{Options: o, closings: closings{reading: make(chan struct{}, 1)}}
}

// Open begins with the history that the store has now.
func (s *Store) Open(ctx context.Context) (err error) {
	s.record, err = s.Keeper.Examine(ctx)
	return err
}

// History names the history that the owner began with; "" is the first.
func (s *Store) History() string { return s.record.History }

// Began is when that history began.
func (s *Store) Began() time.Time { return s.record.Began }

// Lost reports whether orders' records are known to be lost.
func (s *Store) Lost() bool { return !s.record.Lost.Time.IsZero() }

// LastNote is what did not fit last, as the end of a sentence; "" for nothing.
func (s *Store) LastNote() string {
	if open := s.record.Open(); len(open) > 0 {
		n := open[len(open)-1]
		return ": " + n.Store + " " + n.What
	}
	return ""
}

// Doubtful is up to when calls may have been made that no record tells of.
func (s *Store) Doubtful() ledger.Doubtful {
	at := func(m history.Moment) ledger.Moments {
		return ledger.Moments{Callbacks: m.Callbacks, Events: m.Events, Time: m.Time}
	}
	return ledger.Doubtful{Stale: at(s.record.Stale), Lost: at(s.record.Lost)}
}

// Fits makes sure that the store is still that of the history that the owner began with.
func (s *Store) Fits(ctx context.Context) error {
	r, err := s.Keeper.Examine(ctx)
	if err != nil {
		return err
	}
	if r.History != s.record.History {
		s.Tenure.Lost()
		return ownership.ErrLost
	}
	return nil
}

// Witness makes sure that the last message that each stage of an order settled, and the one
// that it waits with, lie where the record says. Another message in their place means that the
// stream went back: the error ends the tenure.
func (s *Store) Witness(ctx context.Context, r ledger.Record) error {
	for _, st := range ledger.Stages {
		l := r.Progress(st)
		if err := s.Message(ctx, st, l.Cursor, l.At); err != nil {
			return err
		}
		if h := l.Head; h != nil {
			if err := s.Message(ctx, st, h.Seq, h.At); err != nil {
				return err
			}
		}
	}
	return nil
}

// Message makes sure that the message of a number was stored at a time, in Unix nanoseconds;
// 0 is not known. One that is no longer stored must have been trimmed or be over age.
func (s *Store) Message(ctx context.Context, st events.Stage, seq uint64, at int64) error {
	stream := orders.StreamOf(st)
	if at == 0 {
		return nil
	}
	m, err := s.Log.Get(ctx, stream, seq)
	switch {
	case err == nil && m.Time.UnixNano() == at:
		return nil
	case err == nil:
		return s.Misfit(ctx, stream, "holds another message under number "+strconv.FormatUint(seq, 10))
	case !errors.Is(err, bus.ErrNotFound):
		return err
	}
	return s.Held(ctx, st, seq)
}

// Held makes sure that a message which its stream does not hold was trimmed or is over age.
func (s *Store) Held(ctx context.Context, st events.Stage, seq uint64) error {
	u, err := s.Log.Usage(ctx, orders.StreamOf(st))
	if err != nil {
		return err
	}
	if seq < u.First {
		return s.Fits(ctx) // the store's record knows who removed it
	}
	return s.Misfit(ctx, orders.StreamOf(st), "has lost message "+strconv.FormatUint(seq, 10))
}

// Misfit begins a new history of the store, and ends the tenure.
func (s *Store) Misfit(ctx context.Context, stream, what string) error {
	if err := s.Keeper.Misfit(ctx, s.record.History, stream, what); err != nil {
		return err
	}
	s.Tenure.Lost()
	return ownership.ErrLost
}

// Each visits the messages of a subject until visit has seen enough.
func (s *Store) Each(ctx context.Context, stream, subject string, visit func(bus.Stored) (more bool)) error {
	for from := uint64(1); ; {
		m, err := s.Log.Next(ctx, stream, subject, from)
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !visit(m) {
			return nil
		}
		from = m.Sequence + 1
	}
}
