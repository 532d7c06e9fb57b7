package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// AuditStream is where the audit lies.
const AuditStream = "AUDIT"

// The actions of the audit.
const (
	ActionReplay      = "dead_replay"
	ActionDiscard     = "dead_discard"
	ActionSettle      = "dead_settle"
	ActionAgain       = "order_replay" // an event without a letter
	ActionPause       = "stage_pause"
	ActionResume      = "stage_resume"
	ActionRecover     = "store_recover"     // all that is stored is looked at again
	ActionAcknowledge = "store_acknowledge" // what does not fit was seen
)

// Audit is one line of who did what.
type Audit struct {
	Action string         `json:"action"`
	Tenant string         `json:"tenant"`
	Who    string         `json:"who"`
	Reason string         `json:"reason,omitempty"`
	Forced bool           `json:"forced,omitempty"`
	Word   string         `json:"word,omitempty"`  // of a letter that was settled
	Stage  events.Stage   `json:"stage,omitempty"` // that was paused or resumed
	At     time.Time      `json:"at"`
	Letter *AuditedEvent  `json:"letter,omitempty"`
	Again  *AuditedReplay `json:"again,omitempty"`
}

// AuditedReplay is what the audit keeps of an event that was sent again without a
// letter.
type AuditedReplay struct {
	Noun       events.Noun `json:"noun"`
	Key        string      `json:"key"`
	EventID    string      `json:"event_id"`
	Replay     int         `json:"replay"`
	Generation int         `json:"generation,omitempty"` // that it is to make
}

// AuditedEvent is what the audit keeps of a closed letter.
type AuditedEvent struct {
	Number  uint64       `json:"number"`
	ID      string       `json:"id"`
	EventID string       `json:"event_id"`
	Stage   events.Stage `json:"stage"`
	Kind    events.Kind  `json:"kind"`
	Noun    events.Noun  `json:"noun"`
	Key     string       `json:"key"`
	Reason  string       `json:"reason"`
	DiedAt  time.Time    `json:"died_at"`
}

// Note writes a line of the audit that closes no letter; each call writes one.
// The box fills in the time.
func (b *Box) Note(ctx context.Context, a Audit) error {
	at := strconv.FormatInt(b.now().UnixNano(), 36)
	return b.note(ctx, a.Tenant+"/"+a.Action+"/"+string(a.Stage)+"/"+at, a)
}

func (b *Box) note(ctx context.Context, id string, a Audit) error {
	a.At = b.now().UTC()
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("audit %s: %w", a.Action, err)
	}
	m := bus.Message{Subject: events.AuditSubject(a.Tenant, a.Action), ID: id, ContentType: "application/json", Data: data}
	if _, err := b.log.Publish(ctx, m); err != nil {
		if errors.Is(err, bus.ErrFull) {
			err = fmt.Errorf("%s: %w", auditFull, err)
		}
		return fmt.Errorf("audit %s: %w", a.Action, err)
	}
	return nil
}

const (
	auditFull = "stream AUDIT is full, and nothing is done that it cannot keep: raise nats.streams.audit.max_bytes, or lower its max_age"
	auditLine = 16 << 10 // bytes, no line of the audit is longer
)

// Auditable is [bus.ErrFull] where stream AUDIT has no room for another line: what is
// done by asking somebody else must be refused before, not after.
func Auditable(ctx context.Context, usage func(ctx context.Context, stream string) (bus.Usage, error)) error {
	u, err := usage(ctx, AuditStream)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if u.MaxBytes > 0 && u.Bytes+auditLine > uint64(u.MaxBytes) {
		return fmt.Errorf("audit: %w: %s", bus.ErrFull, auditFull)
	}
	return nil
}

// Audits calls visit for every line of a tenant's audit from a sequence of its
// stream on, oldest first. A line that cannot be read is an error: what people
// did must not be passed over.
func (b *Box) Audits(ctx context.Context, tenant string, from uint64, visit func(Audit) error) error {
	const size = 200
	for {
		page, err := b.log.Page(ctx, AuditStream, events.AuditFilter(tenant), from, size)
		if err != nil {
			return fmt.Errorf("audit of %s: %w", tenant, err)
		}
		for _, s := range page {
			var a Audit
			if err := json.Unmarshal(s.Data, &a); err != nil {
				return fmt.Errorf("audit of %s, message %d: %w", tenant, s.Sequence, err)
			}
			if err := visit(a); err != nil {
				return err
			}
			from = s.Sequence + 1
		}
		if len(page) < size {
			return nil
		}
	}
}
