package operate

import (
	"context"
	"errors"
	"fmt"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
)

// Letters are at most n letters of a filter from a number on, oldest first, and the
// number to go on from, 0 at the end.
func (a *Acts) Letters(ctx context.Context, f deadletter.Filter, from uint64, n int) ([]deadletter.Open, uint64, error) {
	return a.box.Page(ctx, f, from, n)
}

// Letter is a dead letter. Waits says that its order still waits with it.
type Letter struct {
	deadletter.Open
	Waits bool
}

// Letter reads one letter.
func (a *Acts) Letter(ctx context.Context, number uint64) (Letter, error) {
	l, err := a.box.Get(ctx, number)
	if err != nil {
		return Letter{}, err
	}
	waits, err := inspect.Waits(ctx, a.o.Bus, l)
	return Letter{l, waits}, err
}

// LetterRequest asks to close one letter.
type LetterRequest struct {
	Decision
	Number uint64
	Force  bool // replay it although its call may have run
}

// Replay sends the letter's event to the stage that failed, and closes the letter.
func (a *Acts) Replay(ctx context.Context, r LetterRequest) (deadletter.Open, error) {
	return a.close(ctx, r, a.box.Replay)
}

// Discard closes the letter and does nothing else.
func (a *Acts) Discard(ctx context.Context, r LetterRequest) (deadletter.Open, error) {
	return a.close(ctx, r, a.box.Discard)
}

// close also closes the letter of an order that waited with it and has gone on.
func (a *Acts) close(ctx context.Context, r LetterRequest, do func(context.Context, uint64, deadletter.Act) (deadletter.Open, error)) (deadletter.Open, error) {
	act := deadletter.Act{Who: r.Who, Reason: r.Reason, Force: r.Force}
	l, err := do(ctx, r.Number, act)
	if !errors.Is(err, deadletter.ErrWaits) {
		return l, err
	}
	waits, failed := inspect.Waits(ctx, a.o.Bus, l)
	if failed != nil {
		return l, failed
	}
	if waits {
		return l, err
	}
	act.Left = true
	return do(ctx, r.Number, act)
}

// BulkRequest asks to replay all letters of a filter, oldest first.
type BulkRequest struct {
	Decision
	Filter deadletter.Filter
	Count  *int // how many letters the person has seen to fit; nil: only count them
}

// BulkResult is how a [BulkRequest] ended.
type BulkResult struct {
	Fit      int // letters that fit and can be replayed together
	Passed   int // letters that fit and must be decided one by one: their call may have run, or their order waits
	Done     bool
	Replayed int
	Failed   int
}

// errStopped says that not all letters were tried.
var errStopped = errors.New("stopped; the rest is as it was")

// mostErrors is how many failures of one bulk replay are told.
const mostErrors = 20

// ReplayAll replays the letters of a filter, or counts them. It goes on where one
// letter fails and stops with ctx, but between two letters only. Letters that come
// meanwhile, perhaps of the very events that are replayed, are left.
func (a *Acts) ReplayAll(ctx context.Context, r BulkRequest, tell inspect.Progress) (BulkResult, error) {
	numbers, passed, err := replayable(ctx, a.o.Bus, a.box, r.Filter)
	result := BulkResult{Fit: len(numbers), Passed: passed}
	switch {
	case err != nil || len(numbers) == 0 || r.Count == nil:
		return result, err
	case *r.Count != len(numbers):
		return result, fmt.Errorf("%d letters fit, not %d; nothing was replayed", len(numbers), *r.Count)
	}
	result.Done = true
	var all error
	for i, n := range numbers {
		if ctx.Err() != nil {
			return result, errors.Join(all, errStopped)
		}
		// A letter that was begun is also closed, or it would be sent and stay open.
		_, err := a.Replay(context.WithoutCancel(ctx), LetterRequest{Decision: r.Decision, Number: n})
		switch {
		case errors.Is(err, deadletter.ErrNoLetter): // another person has closed it
		case err != nil:
			if result.Failed++; result.Failed <= mostErrors {
				all = errors.Join(all, err)
			}
		default:
			result.Replayed++
		}
		tell("replayed", uint64(i+1), uint64(len(numbers)))
	}
	return result, all
}

// replayable are the numbers of the letters that can be replayed together, and how
// many more fit the filter.
func replayable(ctx context.Context, b *bus.Bus, box *deadletter.Box, f deadletter.Filter) (numbers []uint64, passed int, err error) {
	err = box.All(ctx, f, func(o deadletter.Open) error {
		waits, err := inspect.Waits(ctx, b, o)
		if waits || o.Kind == events.Uncertain {
			passed++
			return err
		}
		numbers = append(numbers, o.Number)
		return err
	})
	return numbers, passed, err
}
