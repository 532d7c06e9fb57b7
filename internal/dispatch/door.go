package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Verbs of an operator's request to the owner of a tenant.
const (
	VerbSettle  = "settle" // a word on an order that waits with a letter
	VerbPause   = "pause"
	VerbResume  = "resume"
	VerbStaff   = "staff"   // Weiban's staff list, read within the tenant's quota
	VerbTrouble = "trouble" // what of the tenant does not work, or not as it should
)

// Request is what an operator asks of a tenant's owner.
type Request struct {
	Stage    events.Stage `json:"stage"`
	Noun     events.Noun  `json:"noun,omitempty"`
	Key      string       `json:"key,omitempty"`
	Sequence uint64       `json:"sequence,omitempty"` // of the message that waits, so that nobody settles what they did not see
	Word     ledger.Word  `json:"word,omitempty"`
	Who      string       `json:"who"`
	Why      string       `json:"why,omitempty"`
}

// reply is the owner's answer; Refused says why nothing was done.
type reply struct {
	Refused string `json:"refused,omitempty"`
}

// ErrRefused is the class of what an owner would not do.
var ErrRefused = errors.New("refused")

// Ask puts a request to the owner of a tenant and waits for the answer. No owner
// at the moment is an error that says so.
func Ask(ctx context.Context, b *bus.Bus, tenant, verb string, r Request) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ask the owner of %s: %w", tenant, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var a reply
	if err := exchange(ctx, b, tenant, verb, data, &a); err != nil {
		return err
	}
	if a.Refused != "" {
		return fmt.Errorf("%w: %s", ErrRefused, a.Refused)
	}
	return nil
}

// exchange puts a request to the owner and reads its answer.
func exchange(ctx context.Context, b *bus.Bus, tenant, verb string, data []byte, into any) error {
	raw, err := b.Request(ctx, events.ControlSubject(tenant, verb), data)
	if errors.Is(err, bus.ErrNoResponders) {
		return fmt.Errorf("ask the owner of %s: no dispatcher owns the tenant now: %w", tenant, err)
	}
	if err != nil {
		return fmt.Errorf("ask the owner of %s: %w", tenant, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("ask the owner of %s: answer not understood: %w", tenant, err)
	}
	return nil
}

// serve answers operators' requests while the tenant is owned.
func (o *owner) serve() error {
	for verb, do := range map[string]func(context.Context, Request) string{
		VerbSettle: o.settle,
		VerbPause:  func(ctx context.Context, r Request) string { return o.pause(ctx, r, true) },
		VerbResume: func(ctx context.Context, r Request) string { return o.pause(ctx, r, false) },
	} {
		err := o.answer(verb, func(ctx context.Context, data []byte) any {
			var r Request
			if json.Unmarshal(data, &r) != nil {
				return reply{Refused: "the request cannot be read"}
			}
			return reply{Refused: do(ctx, r)}
		})
		if err != nil {
			return err
		}
	}
	if err := o.answer(VerbTrouble, func(context.Context, []byte) any { return o.trouble() }); err != nil {
		return err
	}
	return o.answer(VerbStaff, func(ctx context.Context, _ []byte) any { return o.staff(ctx) })
}

func (o *owner) answer(verb string, do func(ctx context.Context, data []byte) any) error {
	end, err := o.d.o.Ports.Inbox.Serve(events.ControlSubject(o.t.Name, verb), func(ctx context.Context, data []byte) []byte {
		out, err := json.Marshal(do(ctx, data))
		if err != nil {
			return nil // texts always encode
		}
		return out
	})
	if err == nil {
		o.serving = append(o.serving, end)
	}
	return err
}

// settle brings a person's word to the order's record.
func (o *owner) settle(ctx context.Context, r Request) string {
	if r.Key == "" || !slices.Contains(desks[:], desk{r.Stage, r.Noun}) {
		return "no such order or stage"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*writeWait)
	defer cancel()
	answers := make(chan ledger.Answer, 1)
	o.post(order{r.Noun, r.Key}, false, spoken{
		in:    ledger.Operator{Stage: r.Stage, Seq: r.Sequence, Word: r.Word, Who: r.Who, Why: r.Why},
		reply: answers,
	})
	select {
	case a := <-answers:
		return a.Refused
	case <-ctx.Done():
		return "the owner did not come to it in time"
	case <-o.soft.Done():
		return "the owner is stopping; try again in a moment"
	}
}

// mark is a pause on record.
type mark struct {
	Who string    `json:"who"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// pause holds a stage or lets it go on; it stays so over restarts.
func (o *owner) pause(ctx context.Context, r Request, on bool) string {
	s := r.Stage
	if s != events.Enrich && s != events.Handle {
		return "no such stage; say enrich or handle"
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	key, fence := pauseKey(o.t.Name, s), o.tenure.Fence
	var err error
	if on {
		var data []byte
		if data, err = json.Marshal(mark{r.Who, r.Why, time.Now().UTC()}); err == nil {
			_, err = o.d.state.PutFenced(ctx, key, data, fence)
		}
	} else {
		err = o.d.state.DeleteFenced(ctx, key, fence)
	}
	if err != nil {
		return "not recorded: " + err.Error()
	}
	o.gates.hold(s, on)
	return ""
}

// loadPauses takes over what operators have paused.
func (o *owner) loadPauses(ctx context.Context) error {
	for _, s := range []events.Stage{events.Enrich, events.Handle} {
		_, err := o.d.state.Get(ctx, pauseKey(o.t.Name, s))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		o.gates.hold(s, true)
	}
	return nil
}
