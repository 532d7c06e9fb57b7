package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	VerbMapping = "mapping" // the mapping in force
	VerbTrouble = "trouble" // what of the tenant does not work, or not as it should
)

// Request is what an operator asks of a tenant's owner.
type Request struct {
	Stage    events.Stage `json:"stage"`
	Noun     events.Noun  `json:"noun,omitempty"`
	Key      string       `json:"key,omitempty"`
	Sequence uint64       `json:"sequence,omitempty"` // of the message that waits: a person settles only what they saw
	Word     ledger.Word  `json:"word,omitempty"`
	Who      string       `json:"who"`
	Why      string       `json:"why,omitempty"`
}

// Reply is the owner's answer; Refused says why nothing was done.
type Reply struct {
	Refused string       `json:"refused,omitempty"`
	Was     *PauseRecord `json:"was,omitempty"` // of a stage: the pause before the request, nil for none
}

// ErrRefused is the class of what an owner would not do.
var ErrRefused = errors.New("refused")

// Ask puts a request to the owner of a tenant and waits for the answer. Where no
// dispatcher owns the tenant, the error says so.
func Ask(ctx context.Context, b *bus.Bus, tenant, verb string, r Request) error {
	_, err := ask(ctx, b, tenant, verb, r)
	return err
}

// AskStage is [Ask] for [VerbPause] and [VerbResume]; it returns the pause that the stage
// had before, nil for none. A stage that was paused already keeps that pause.
func AskStage(ctx context.Context, b *bus.Bus, tenant, verb string, r Request) (*PauseRecord, error) {
	a, err := ask(ctx, b, tenant, verb, r)
	return a.Was, err
}

func ask(ctx context.Context, b *bus.Bus, tenant, verb string, r Request) (a Reply, err error) {
	data, err := json.Marshal(r)
	if err != nil {
		return a, fmt.Errorf("ask the owner of %s: %w", tenant, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := exchange(ctx, b, tenant, verb, data, &a); err != nil {
		return a, err
	}
	if a.Refused != "" {
		return a, fmt.Errorf("%w: %s", ErrRefused, a.Refused)
	}
	return a, nil
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

// StaffWait bounds the reading of a staff list, a page of a hundred a call.
const StaffWait = 2 * time.Minute

// Staff is a member of Weiban's staff list (员工).
type Staff struct {
	ID         string   `json:"id"`
	Name       string   `json:"name,omitempty"`
	Department []string `json:"department,omitempty"` // 部门id
}

// StaffReply is the owner's answer to [VerbStaff].
type StaffReply struct {
	Refused string  `json:"refused,omitempty"`
	Staff   []Staff `json:"staff,omitempty"`
}

// StaffOf has the tenant's owner read Weiban's staff list: the owner alone knows how
// many of the tenant's calls are in progress. [bus.ErrNoResponders] where the
// tenant has no owner, and so no call in progress either.
func StaffOf(ctx context.Context, b *bus.Bus, tenant string) ([]Staff, error) {
	ctx, cancel := context.WithTimeout(ctx, StaffWait+5*time.Second)
	defer cancel()
	var a StaffReply
	if err := exchange(ctx, b, tenant, VerbStaff, []byte("{}"), &a); err != nil {
		return nil, err
	}
	if a.Refused != "" {
		return nil, fmt.Errorf("staff list of %s: %w: %s", tenant, ErrRefused, a.Refused)
	}
	return a.Staff, nil
}

// MappingReply is the owner's answer to [VerbMapping].
type MappingReply struct {
	Refused string `json:"refused,omitempty"`
	Sources []byte `json:"sources,omitempty"` // of the mapping in force, packed
}

// MappingOf asks a tenant's owner for the sources of the mapping in force, packed.
// [bus.ErrNoResponders] where the tenant has no owner, and so no mapping in force.
func MappingOf(ctx context.Context, b *bus.Bus, tenant string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var a MappingReply
	if err := exchange(ctx, b, tenant, VerbMapping, []byte("{}"), &a); err != nil {
		return nil, err
	}
	if a.Refused != "" {
		return nil, fmt.Errorf("mapping in force of %s: %w: %s", tenant, ErrRefused, a.Refused)
	}
	return a.Sources, nil
}

// troubleWait bounds the question to one owner: it answers from memory.
const troubleWait = 2 * time.Second

// TroubleReply is the owner's answer to [VerbTrouble].
type TroubleReply struct {
	Trouble []string `json:"trouble,omitempty"`
}

// TroubleOf asks a tenant's owner what does not work, or not as it should: paused
// stages, consumers that are being rebuilt, a store without space, a mapping that
// was refused. An owner that does not answer is trouble too.
func TroubleOf(ctx context.Context, b *bus.Bus, tenant string) []string {
	ctx, cancel := context.WithTimeout(ctx, troubleWait)
	defer cancel()
	var a TroubleReply
	switch err := exchange(ctx, b, tenant, VerbTrouble, []byte("{}"), &a); {
	case errors.Is(err, bus.ErrNoResponders):
		return []string{"its owner does not answer: it has not started the tenant, or has died; see its log and /readyz"}
	case err != nil:
		return []string{err.Error()}
	}
	return a.Trouble
}
