package bus

import (
	"cmp"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams.
const (
	Callbacks = "CALLBACKS" // verified callbacks, and replays into enrich
	Events    = "EVENTS"    // enriched events, outcomes, and replays into handle
	Dead      = "DEAD"      // open dead letters
	Audit     = "AUDIT"     // who did what
)

// The buckets.
const (
	State  = "STATE"  // ownership, and the record of every order
	Tokens = "TOKENS" // the vendors' access tokens, and the lease to renew them
	Tables = "TABLES" // mapping tables that operators add to
)

const (
	day = 24 * time.Hour
	mib = 1 << 20
	gib = 1 << 30

	// duplicateWindow is the time for which the server remembers message ids.
	duplicateWindow = time.Hour
	// markerLife is the life of a deletion marker.
	markerLife = time.Hour
)

// Stream is one stream of the bridge. Every stream is stored in files with limits
// retention, refuses new messages when it is full, and allows direct reads.
type Stream struct {
	Name     string
	Holds    string   // in a few words
	Subjects []string // filters of the subjects that it takes
	Shapes   []string // of those subjects, with names for the variable tokens
	MaxBytes int64
	MaxAge   time.Duration // 0: for ever
}

// Streams are the streams of the bridge, with their default limits.
func Streams() []Stream {
	return []Stream{
		{
			Name: Callbacks, Holds: "verified callbacks, and replays into enrich",
			Subjects: []string{"gongdan.*.event.weiban.>", "gongdan.*.replay.enrich.>"},
			Shapes: []string{
				"gongdan.{tenant}.event.weiban.{event}.{status}.{key}",
				"gongdan.{tenant}.replay.enrich.{noun}.{key}",
			},
			MaxBytes: 2 * gib, MaxAge: 30 * day,
		},
		{
			Name: Events, Holds: "enriched events, outcomes, and replays into handle",
			Subjects: []string{"gongdan.*.event.enriched.>", "gongdan.*.event.kingdee.>", "gongdan.*.replay.handle.>"},
			Shapes: []string{
				"gongdan.{tenant}.event.enriched.{noun}.{status}.{key}",
				"gongdan.{tenant}.event.kingdee.handle_order.{outcome}.{key}",
				"gongdan.{tenant}.replay.handle.{noun}.{key}",
			},
			MaxBytes: 8 * gib, MaxAge: 30 * day,
		},
		{
			Name: Dead, Holds: "open dead letters",
			Subjects: []string{"gongdan.*.dead.>"},
			Shapes:   []string{"gongdan.{tenant}.dead.{stage}.{kind}.{noun}.{key}"},
			MaxBytes: 1 * gib,
		},
		{
			Name: Audit, Holds: "who did what",
			Subjects: []string{"gongdan.*.audit.>"},
			Shapes:   []string{"gongdan.{tenant}.audit.{action}"},
			MaxBytes: 512 * mib, MaxAge: 30 * day,
		},
	}
}

// BucketPlan is one key-value bucket of the bridge. It keeps the last value of each key,
// for ever unless the writer sets an end (see [Expire]).
type BucketPlan struct {
	Name     string
	Holds    string // in a few words
	MaxBytes int64
	// Leader: with several replicas only the leader is read. A replica that lags
	// behind would hide an entry.
	Leader bool
}

// Buckets are the buckets of the bridge, with their default limits.
func Buckets() []BucketPlan {
	return []BucketPlan{
		{Name: State, Holds: "ownership, and the record of every order", MaxBytes: 4 * gib, Leader: true},
		{Name: Tokens, Holds: "the vendors' access tokens", MaxBytes: 16 * mib},
		{Name: Tables, Holds: "mapping tables", MaxBytes: 256 * mib},
	}
}

// Limit replaces a default. A zero field keeps it; a negative MaxAge means none.
type Limit struct {
	MaxBytes int64
	MaxAge   time.Duration // of streams; a bucket has none
}

// Limits replace defaults, for all streams and buckets and by their names.
type Limits struct {
	DuplicateWindow time.Duration // 0: one hour
	Of              map[string]Limit
}

// configs returns the configurations to provision: streams, then buckets.
func configs(l Limits, replicas int) ([]jetstream.StreamConfig, error) {
	var out []jetstream.StreamConfig
	known := map[string]bool{}
	for _, s := range Streams() {
		known[s.Name] = true
		out = append(out, s.config(l, replicas))
	}
	for _, p := range Buckets() {
		known[p.Name] = true
		out = append(out, p.config(l, replicas))
	}
	for name := range l.Of {
		if !known[name] {
			return nil, fmt.Errorf("limits of %s: no such stream or bucket", name)
		}
	}
	return out, nil
}

func (s Stream) config(l Limits, replicas int) jetstream.StreamConfig {
	limit := l.Of[s.Name]
	age := s.MaxAge
	if limit.MaxAge != 0 {
		age = max(limit.MaxAge, 0)
	}
	window := duplicateWindow
	if l.DuplicateWindow > 0 {
		window = l.DuplicateWindow
	}
	if age > 0 {
		window = min(window, age)
	}
	return jetstream.StreamConfig{
		Name:              s.Name,
		Description:       s.Holds,
		Subjects:          s.Subjects,
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		MaxAge:            age,
		MaxBytes:          cmp.Or(limit.MaxBytes, s.MaxBytes),
		MaxMsgsPerSubject: -1,
		Duplicates:        window,
		Replicas:          replicas,
		AllowDirect:       true,
	}
}

// config is the stream that every NATS client takes for a bucket.
func (p BucketPlan) config(l Limits, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              bucketStream(p.Name),
		Description:       p.Holds,
		Subjects:          []string{bucketSubject(p.Name, ">")},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		MaxBytes:          cmp.Or(l.Of[p.Name].MaxBytes, p.MaxBytes),
		MaxMsgsPerSubject: 1,
		Duplicates:        2 * time.Minute,
		Replicas:          replicas,
		AllowDirect:       !p.Leader || replicas == 1,
		AllowRollup:       true,
		DenyDelete:        true,
		AllowMsgTTL:       true,
	}
}
