package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/operate"
)

type deadReplayCmd struct {
	Numbers []uint64 `arg:"" optional:"" help:"The letters' numbers, from the list."`
	Force   bool     `help:"Send it although the call may have run. Look at the bill in Kingdee first."`
	Reason  string   `help:"Why; kept in the audit. Needed with --force."`
	decider

	All    bool   `help:"Replay every letter that fits --tenant, --stage, --kind and --shelf, oldest first; those that need --force are passed over."`
	Tenant string `help:"With --all: only this tenant."`
	Stage  string `help:"With --all: only this stage: enrich or handle." enum:",enrich,handle" default:""`
	Kind   string `help:"With --all: only this kind of failure, e.g. unmapped."`
	Shelf  string `help:"With --all: only this shelf: business or system." enum:",business,system" default:""`
	Yes    *int   `placeholder:"COUNT" help:"With --all: do it, if so many letters fit. Without, they are only counted."`
}

// Validate refuses letters that are named twice, or not at all.
func (c deadReplayCmd) Validate() error {
	switch {
	case c.All && (len(c.Numbers) > 0 || c.Force):
		return errors.New("--all goes with neither numbers nor --force")
	case !c.All && len(c.Numbers) == 0:
		return errors.New("give the letters' numbers, or --all")
	}
	return nil
}

func (c deadReplayCmd) Run(ctx context.Context, s *session) error {
	if c.All {
		return c.all(ctx, s)
	}
	return closeLetters(ctx, s, c.Numbers, "replayed", operate.LetterRequest{Decision: c.decides(c.Reason), Force: c.Force}, s.Replay)
}

type deadDiscardCmd struct {
	Numbers []uint64 `arg:"" help:"The letters' numbers, from the list."`
	Reason  string   `required:"" help:"Why; kept in the audit."`
	decider
}

func (c deadDiscardCmd) Run(ctx context.Context, s *session) error {
	return closeLetters(ctx, s, c.Numbers, "discarded", operate.LetterRequest{Decision: c.decides(c.Reason)}, s.Discard)
}

// closing closes one letter.
type closing func(context.Context, operate.LetterRequest) (deadletter.Open, error)

// closeLetters does the same to each letter and goes on where one fails.
func closeLetters(ctx context.Context, s *session, numbers []uint64, did string, r operate.LetterRequest, do closing) error {
	var all error
	for _, n := range numbers {
		r.Number = n
		l, err := do(ctx, r)
		all = errors.Join(all, s.print(err, "%s %d: %s %s at %s\n", did, n, l.Noun, l.Key, l.Stage))
	}
	return all
}

type deadSettleCmd struct {
	Number uint64 `arg:"" help:"The letter's number, from the list."`
	Word   string `arg:"" enum:"applied,send-again,try-again,discard" help:"applied: the call in doubt did run. send-again: it did not, send it. try-again: run the event again from the start, and look first if its call is in doubt. discard: let it be; the order's later events go on."`
	Reason string `required:"" help:"Why; kept in the audit."`
	decider
}

func (c deadSettleCmd) Run(ctx context.Context, s *session) error {
	l, err := s.Settle(ctx, operate.SettleRequest{Decision: c.decides(c.Reason), Number: c.Number, Word: ledger.Word(strings.ReplaceAll(c.Word, "-", " "))})
	return s.print(err, "settled %d as %s: %s %s at %s\n", c.Number, c.Word, l.Noun, l.Key, l.Stage)
}

// all replays every letter that fits, or says how many those are.
func (c deadReplayCmd) all(ctx context.Context, s *session) error {
	done, err := s.ReplayAll(ctx, operate.BulkRequest{
		Decision: c.decides(c.Reason), Count: c.Yes,
		Filter: deadletter.Filter{Tenant: c.Tenant, Stage: events.Stage(c.Stage), Kind: events.Kind(c.Kind), Shelf: c.Shelf},
	}, s.bar.at)
	told := ""
	if done.Passed > 0 {
		told = fmt.Sprintf("%d letter(s) passed over: their call may have run, or their order waits to be settled (dead settle)\n", done.Passed)
	}
	switch {
	case done.Done:
		told += fmt.Sprintf("replayed %d of %d letter(s), %d failed\n", done.Replayed, done.Fit, done.Failed)
	case err != nil:
	case done.Fit == 0:
		told += "no letters fit\n"
	default:
		told += fmt.Sprintf("%d letter(s) fit; say --yes %d to replay them\n", done.Fit, done.Fit)
	}
	return errors.Join(err, s.print(nil, "%s", told))
}
