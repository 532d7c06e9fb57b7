package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gongdan-bridge/internal/bus"
)

// Checkpoint is a place in a queue's stream: the consumer of a new owner begins behind it.
type Checkpoint struct {
	Epoch     uint64 `json:"epoch"`              // of the consumer that reads now
	History   string `json:"history,omitempty"`  // of the store, that the sequences belong to
	Recheck   uint64 `json:"recheck,omitempty"`  // messages up to here may have been settled in a history before
	Rechecks  bool   `json:"rechecks,omitempty"` // they are still looked at again
	Floor     uint64 `json:"floor"`              // everything up to here is settled or on record
	Delivered uint64 `json:"delivered"`          // up to here messages may have been begun
}

// Settled is the sequence up to which only orders' records can need a message.
func (t Checkpoint) Settled() uint64 {
	if t.Rechecks {
		return 0
	}
	return t.Floor
}

// Encode writes the checkpoint as JSON.
func (t Checkpoint) Encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		return nil // numbers and flags always encode
	}
	return b
}

// DecodeCheckpoint reads what Encode wrote.
func DecodeCheckpoint(b []byte) (t Checkpoint, err error) {
	err = json.Unmarshal(b, &t)
	return t, err
}

// ReadCheckpoint reads the checkpoint that the last owner wrote; the zero one, if there was none.
func ReadCheckpoint(ctx context.Context, state Reader, tenant string, k Queue) (Checkpoint, error) {
	e, err := state.Get(ctx, CheckpointKey(tenant, k))
	if errors.Is(err, bus.ErrNotFound) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	m, err := DecodeCheckpoint(e.Value)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint %s: %w", e.Key, err)
	}
	return m, nil
}

// Consumers tells how far a consumer has come.
type Consumers interface {
	ConsumerInfo(ctx context.Context, stream, name string) (bus.ConsumerInfo, error)
}

// FloorOf is how far a tenant's queue has settled its stream: by its consumer,
// or, while none is there, by what the last owner left on record.
func FloorOf(ctx context.Context, state Reader, in Consumers, tenant string, k Queue) (uint64, error) {
	mark, err := ReadCheckpoint(ctx, state, tenant, k)
	if err != nil || mark.Rechecks {
		return 0, err
	}
	info, err := in.ConsumerInfo(ctx, StreamOf(k.Stage), k.Consumer(tenant, mark.Epoch))
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return 0, err
	}
	return max(mark.Floor, info.AckFloor), nil
}
