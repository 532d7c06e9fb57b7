package orders

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
)

// Reader reads entries of the bucket STATE.
type Reader interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
}

// ErrRecord is the class of a record that cannot be understood.
var ErrRecord = errors.New("record not understood")

// ReadRecord reads an order's record; one never written is the zero record.
func ReadRecord(ctx context.Context, state Reader, tenant string, k ID) (ledger.Record, error) {
	e, err := state.Get(ctx, RecordKey(tenant, k))
	if errors.Is(err, bus.ErrNotFound) {
		return ledger.Record{}, nil
	}
	if err != nil {
		return ledger.Record{}, err
	}
	r, err := ledger.Decode(e.Value)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return r, nil
}

// EachWaiting reads the record of every order that is listed as waiting, of one
// tenant or of all ("").
func EachWaiting(ctx context.Context, b *bus.Bus, tenant string, visit func(tenant string, k ID, r ledger.Record) error) error {
	state := b.Bucket(bus.State)
	return state.Load(ctx, strings.TrimSuffix("wait."+tenant, "."), func(e bus.Entry) error {
		k, err := ParseKey(e.Key)
		if err != nil {
			return err
		}
		whose := strings.Split(e.Key, ".")[1]
		r, err := ReadRecord(ctx, state, whose, k)
		if err != nil {
			return err
		}
		return visit(whose, k, r)
	})
}

// PauseRecord is a pause on record.
type PauseRecord struct {
	Who string    `json:"who"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}
