package orders

import (
	"fmt"
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
)

// RecordKey is where an order's record lies in bucket STATE. What package ownership
// keeps there has other keys.
func RecordKey(tenant string, k ID) string { return "order." + tenant + "." + k.Path() }

// WaitKey lists an order that waits, so that a new owner finds it.
func WaitKey(tenant string, k ID) string { return "wait." + tenant + "." + k.Path() }

// ProofKey is where it lies whether the query for handling records finds ours.
func ProofKey(tenant string) string { return "control." + tenant }

// PauseKey is where an operator's pause of a stage lies.
func PauseKey(tenant string, s events.Stage) string {
	return "pause." + tenant + "." + string(s)
}

// CheckpointKey is where a queue's [Checkpoint] lies.
func CheckpointKey(tenant string, k Queue) string {
	return "trail." + tenant + "." + string(k.Stage) + "." + string(k.Noun)
}

// Consumer is the name of the queue's durable consumer in an epoch.
func (k Queue) Consumer(tenant string, epoch uint64) string {
	return k.prefix(tenant) + strconv.FormatUint(epoch, 10)
}

func (k Queue) prefix(tenant string) string {
	return string(k.Stage) + "-" + string(k.Noun) + "-" + tenant + "-"
}

// EpochOf reads the epoch out of a consumer's name; 0 if it is none of the queue's.
func (k Queue) EpochOf(name, tenant string) uint64 {
	n, ours := strings.CutPrefix(name, k.prefix(tenant))
	epoch, err := strconv.ParseUint(n, 10, 64)
	if !ours || err != nil {
		return 0
	}
	return epoch
}

// ParseKey reads the order out of its record's or wait's key.
func ParseKey(key string) (ID, error) {
	t := strings.Split(key, ".")
	if len(t) != 4 {
		return ID{}, fmt.Errorf("key %s: not an order's", key)
	}
	name, err := events.Untoken(t[3])
	if err != nil {
		return ID{}, fmt.Errorf("key %s: %w", key, err)
	}
	return ID{events.Noun(t[2]), name}, nil
}
