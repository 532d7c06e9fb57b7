package dispatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
)

// Keys of bucket STATE, beside those of package ownership.
func recordKey(tenant string, k order) string { return "order." + tenant + "." + k.id() }
func waitKey(tenant string, k order) string   { return "wait." + tenant + "." + k.id() }
func controlKey(tenant string) string         { return "control." + tenant }
func pauseKey(tenant string, s events.Stage) string {
	return "pause." + tenant + "." + string(s)
}

func trailKey(tenant string, k desk) string {
	return "trail." + tenant + "." + string(k.stage) + "." + string(k.noun)
}

// consumerName is the durable of a desk's consumer in an epoch.
func consumerName(k desk, tenant string, epoch uint64) string {
	return consumerPrefix(k, tenant) + strconv.FormatUint(epoch, 10)
}

func consumerPrefix(k desk, tenant string) string {
	return string(k.stage) + "-" + string(k.noun) + "-" + tenant + "-"
}

// epochOf reads the epoch out of a consumer's name; 0 if it is no desk's.
func epochOf(name string, k desk, tenant string) uint64 {
	n, ours := strings.CutPrefix(name, consumerPrefix(k, tenant))
	epoch, err := strconv.ParseUint(n, 10, 64)
	if !ours || err != nil {
		return 0
	}
	return epoch
}

// orderOf reads the order out of its record's or wait's key.
func orderOf(key string) (order, error) {
	t := strings.Split(key, ".")
	if len(t) != 4 {
		return order{}, fmt.Errorf("key %s: not an order's", key)
	}
	name, err := events.Untoken(t[3])
	if err != nil {
		return order{}, fmt.Errorf("key %s: %w", key, err)
	}
	return order{events.Noun(t[2]), name}, nil
}

// trailMark is what a new owner's consumers begin behind.
type trailMark struct {
	Epoch     uint64 `json:"epoch"`              // of the consumer that reads now
	History   string `json:"history,omitempty"`  // of the store, that the sequences belong to
	Recheck   uint64 `json:"recheck,omitempty"`  // messages up to here may have been settled in a history before
	Rechecks  bool   `json:"rechecks,omitempty"` // they are still looked at again
	Floor     uint64 `json:"floor"`              // everything up to here is settled or on record
	Delivered uint64 `json:"delivered"`          // up to here messages may have been begun
}

// settled is up to where nothing is needed any more of what no order's record names.
func (t trailMark) settled() uint64 {
	if t.Rechecks {
		return 0
	}
	return t.Floor
}

func (t trailMark) encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		return nil // three numbers always encode
	}
	return b
}

func decodeTrail(b []byte) (t trailMark, err error) {
	err = json.Unmarshal(b, &t)
	return t, err
}
