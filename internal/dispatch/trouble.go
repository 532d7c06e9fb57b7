package dispatch

import (
	"context"
	"errors"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
)

// troubleWait bounds the question to one owner: it answers from memory.
const troubleWait = 2 * time.Second

// troubleReply is the owner's answer to [VerbTrouble].
type troubleReply struct {
	Trouble []string `json:"trouble,omitempty"`
}

// TroubleOf asks a tenant's owner what does not work, or not as it should: paused
// stages, consumers that are being made anew, a store without room, a mapping that
// was refused. An owner that does not answer is trouble too.
func TroubleOf(ctx context.Context, b *bus.Bus, tenant string) []string {
	ctx, cancel := context.WithTimeout(ctx, troubleWait)
	defer cancel()
	var a troubleReply
	switch err := exchange(ctx, b, tenant, VerbTrouble, []byte("{}"), &a); {
	case errors.Is(err, bus.ErrNoResponders):
		return []string{"its owner does not answer: it has not started the tenant, or has died; see its log and /readyz"}
	case err != nil:
		return []string{err.Error()}
	}
	return a.Trouble
}

func (o *owner) trouble() troubleReply {
	var a troubleReply
	for _, err := range []error{o.why(), o.d.storeReady(), o.refused()} {
		if err != nil {
			a.Trouble = append(a.Trouble, strings.Split(err.Error(), "\n")...)
		}
	}
	return a
}

// refused is why a changed mapping is not in force, nil if it is.
func (o *owner) refused() error {
	if o.t.Refused == nil {
		return nil
	}
	return o.t.Refused()
}
