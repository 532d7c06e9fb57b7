package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/operate"
)

type deadReplayCmd struct {
	Numbers []uint64 `arg:"" optional:"" help:"The letters' numbers, from the list."`
	Force   bool     `help:"Send it although the call may have run. Look at the bill in Kingdee first."`
	Reason  string   `help:"Why; kept in the audit. Needed with --force."`
	Who     string   `help:"Who decides; kept in the audit (default: the user that runs this)."`

	All    bool   `help:"Replay every letter that fits --tenant, --stage, --kind and --shelf, oldest first; those that need --force are passed over."`
	Tenant string `help:"With --all: only this tenant."`
	Stage  string `help:"With --all: only this stage: enrich or handle." enum:",enrich,handle" default:""`
	Kind   string `help:"With --all: only this kind of failure, e.g. unmapped."`
	Shelf  string `help:"With --all: only this shelf: business or system." enum:",business,system" default:""`
	Yes    *int   `placeholder:"COUNT" help:"With --all: do it, if so many letters fit. Without, they are only counted."`
}

func (c deadReplayCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason, Force: c.Force}
	switch {
	case c.All && (len(c.Numbers) > 0 || c.Force):
		return fmt.Errorf("%w: --all goes with neither numbers nor --force", errUsage)
	case c.All:
		return c.replayAll(ctx, p, g, act)
	case len(c.Numbers) == 0:
		return fmt.Errorf("%w: give the letters' numbers, or --all", errUsage)
	default:
		return closeLetters(ctx, p, g, c.Numbers, "replayed", act, (*deadletter.Box).Replay)
	}
}

type deadDiscardCmd struct {
	Numbers []uint64 `arg:"" help:"The letters' numbers, from the list."`
	Reason  string   `required:"" help:"Why; kept in the audit."`
	Who     string   `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (c deadDiscardCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason}
	return closeLetters(ctx, p, g, c.Numbers, "discarded", act, (*deadletter.Box).Discard)
}

// closing closes one letter.
type closing func(*deadletter.Box, context.Context, uint64, deadletter.Act) (deadletter.Open, error)

// closeLetters does the same to each letter and goes on where one fails.
func closeLetters(ctx context.Context, p Program, g *globals, numbers []uint64, did string, act deadletter.Act, do closing) error {
	if act.Who == "" {
		act.Who = whoami()
	}
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		box := deadletter.NewBox(b, time.Now)
		var all error
		for _, n := range numbers {
			l, err := closeLetter(ctx, b, box, n, act, do)
			if err != nil {
				all = errors.Join(all, err)
				continue
			}
			if _, err := fmt.Fprintf(p.Stdout, "%s %d: %s %s at %s\n", did, n, l.Noun, l.Key, l.Stage); err != nil {
				return err
			}
		}
		return all
	})
}

// closeLetter closes a letter, also one of an order that waited with it and has
// gone on.
func closeLetter(ctx context.Context, b *bus.Bus, box *deadletter.Box, n uint64, act deadletter.Act, do closing) (deadletter.Open, error) {
	l, err := do(box, ctx, n, act)
	if !errors.Is(err, deadletter.ErrWaits) {
		return l, err
	}
	waits, looked := inspect.Waits(ctx, b, l)
	if looked != nil {
		return l, looked
	}
	if waits {
		return l, err
	}
	act.Left = true
	return do(box, ctx, n, act)
}

type deadSettleCmd struct {
	Number uint64 `arg:"" help:"The letter's number, from the list."`
	Word   string `arg:"" enum:"applied,send-again,try-again,discard" help:"applied: the call in doubt did run. send-again: it did not, send it. try-again: run the event anew, and look first if its call is in doubt. discard: let it be; the order's later events go on."`
	Reason string `required:"" help:"Why; kept in the audit."`
	Who    string `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (c deadSettleCmd) Run(ctx context.Context, p Program, g *globals) error {
	word := map[string]ledger.Word{
		"applied": ledger.SettleApplied, "send-again": ledger.SendAgain, "try-again": ledger.TryAgain, "discard": ledger.Discard,
	}[c.Word]
	act := deadletter.Act{Who: c.Who, Reason: c.Reason}
	if act.Who == "" {
		act.Who = whoami()
	}
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		l, err := operate.Settle(ctx, b, deadletter.NewBox(b, time.Now), c.Number, word, act)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "settled %d as %s: %s %s at %s\n", c.Number, c.Word, l.Noun, l.Key, l.Stage)
		return err
	})
}

// replayAll replays every letter that fits, or says how many those are. Letters
// that come meanwhile, of the very events that are sent again perhaps, are left.
func (c deadReplayCmd) replayAll(ctx context.Context, p Program, g *globals, act deadletter.Act) error {
	if act.Who == "" {
		act.Who = whoami()
	}
	f := deadletter.Filter{Tenant: c.Tenant, Stage: events.Stage(c.Stage), Kind: events.Kind(c.Kind), Shelf: c.Shelf}
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		box := deadletter.NewBox(b, time.Now)
		var numbers []uint64
		passed := 0
		err := box.All(ctx, f, func(o deadletter.Open) error {
			waits, err := inspect.Waits(ctx, b, o)
			if waits || o.Kind == events.Uncertain {
				passed++
				return err
			}
			numbers = append(numbers, o.Number)
			return err
		})
		if err != nil {
			return err
		}
		if passed > 0 {
			if _, err := fmt.Fprintf(p.Stdout, "%d letter(s) passed over: their call may have run, or their order waits for a word (dead settle)\n", passed); err != nil {
				return err
			}
		}
		switch {
		case len(numbers) == 0:
			_, err := fmt.Fprintln(p.Stdout, "no letters fit")
			return err
		case c.Yes == nil:
			_, err := fmt.Fprintf(p.Stdout, "%d letter(s) fit; say --yes %d to replay them\n", len(numbers), len(numbers))
			return err
		case *c.Yes != len(numbers):
			return fmt.Errorf("%d letters fit, not %d; nothing was replayed", len(numbers), *c.Yes)
		}
		return replayEach(ctx, p, b, box, numbers, act)
	})
}

// replayEach goes on where one letter fails, and stops where a person says so.
func replayEach(ctx context.Context, p Program, b *bus.Bus, box *deadletter.Box, numbers []uint64, act deadletter.Act) error {
	bar := newBar(p.Stderr)
	var all error
	done, failed := 0, 0
	for i, n := range numbers {
		if ctx.Err() != nil {
			break
		}
		// A letter in hand is closed to the end, so that it is not sent and left open.
		_, err := closeLetter(context.WithoutCancel(ctx), b, box, n, act, (*deadletter.Box).Replay)
		switch {
		case errors.Is(err, deadletter.ErrNoLetter): // somebody else closed it
		case err != nil:
			if failed++; failed <= 20 {
				all = errors.Join(all, err)
			}
		default:
			done++
		}
		bar.at("replayed", uint64(i+1), uint64(len(numbers)))
	}
	bar.end()
	if _, err := fmt.Fprintf(p.Stdout, "replayed %d of %d letter(s), %d failed\n", done, len(numbers), failed); err != nil {
		return err
	}
	if ctx.Err() != nil {
		all = errors.Join(all, errors.New("stopped; the rest is as it was"))
	}
	return all
}
