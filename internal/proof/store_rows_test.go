package proof

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
)

// The buckets' streams.
const (
	kvState  = "KV_" + bus.State
	kvTables = "KV_" + bus.Tables
	kvTokens = "KV_" + bus.Tokens
)

// sound are no accidents.
func sound() []row {
	return []row{
		{name: "nothing happens", stopped: func(store) {}, sound: true},
		{name: "indexes removed", sound: true, stopped: func(s store) {
			for _, name := range []string{bus.Callbacks, bus.Events, kvState} {
				s.dropIndex(name)
			}
		}},
	}
}

// removed are streams and buckets that are not there any more.
func removed() (out []row) {
	for _, names := range [][]string{
		{bus.Callbacks},
		{bus.Events},
		{bus.Dead},
		{bus.Audit},
		{kvState},
		{kvTables},
		{kvTokens},
		{kvState, bus.Events},
		{bus.Callbacks, bus.Events},
	} {
		r := row{
			name: strings.Join(names, " and ") + " removed", hit: names, letters: slices.Contains(names, kvState),
			stopped: func(s store) { s.remove(names...) },
		}
		out = append(out, r)
		if slices.Contains(names, bus.Callbacks) || slices.Contains(names, bus.Events) {
			out = append(out, flooded(r))
		}
	}
	r := row{
		name: "all but STATE removed", hit: []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit},
		stopped: func(s store) { s.removeBut(kvState) },
	}
	return append(out, r, flooded(r))
}

// cut are streams whose end is lost, with the server's note of their state and
// without it.
func cut() (out []row) {
	for _, stream := range []string{bus.Callbacks, bus.Events} {
		ways := cuts()
		for _, how := range slices.Sorted(maps.Keys(ways)) {
			for _, index := range []bool{true, false} {
				r := row{name: stream + " " + how, hit: []string{stream}, stopped: func(s store) {
					s.must(ways[how](s.lastBlock(stream)))
					if !index {
						s.dropIndex(stream)
					}
				}}
				if !index {
					r.name += ", no index"
				}
				out = append(out, r, flooded(r))
			}
		}
	}
	return out
}

// older are stores of which a part, or all, is a copy of some time ago.
func older() []row {
	from := func(names ...string) row {
		return row{
			name: strings.Join(names, " and ") + " older", hit: names, letters: slices.Contains(names, kvState),
			stopped: func(s store) { s.restore(names...) },
		}
	}
	callbacks, events, both := from(bus.Callbacks), from(bus.Events), from(bus.Callbacks, bus.Events)
	whole := row{
		name: "the whole store older", hit: []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit, kvState}, letters: true,
		stopped: func(s store) { s.restoreAll(s.half) },
	}
	killed := whole
	killed.name, killed.stopped = "the whole store older, of programs that were killed", func(s store) { s.restoreAll(s.killed) }
	told := whole
	told.name, told.again = whole.name+", delivered again", true
	return []row{
		callbacks, flooded(callbacks), events, flooded(events), both, flooded(both), from(kvState),
		whole, flooded(whole), killed, told,
	}
}

// deleted is what befalls a store under running programs.
func deleted() (out []row) {
	for _, name := range []string{bus.Callbacks, bus.Events, bus.Dead, kvState, kvTables} {
		out = append(out, row{
			name: name + " deleted by a client", hit: []string{name}, letters: name == kvState,
			running: func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteStream(ctx, name) },
		})
	}
	return append(out,
		row{name: "EVENTS purged by a client", hit: []string{bus.Events}, running: func(ctx context.Context, js jetstream.JetStream) error {
			s, err := js.Stream(ctx, bus.Events)
			if err != nil {
				return err
			}
			return s.Purge(ctx)
		}},
		row{name: "a consumer deleted by a client", sound: true, running: deleteConsumer},
	)
}

// deleteConsumer is no harm to the store: it has a metric of its own.
func deleteConsumer(ctx context.Context, js jetstream.JetStream) error {
	s, err := js.Stream(ctx, bus.Callbacks)
	if err != nil {
		return err
	}
	for info := range s.ListConsumers(ctx).Info() {
		if strings.HasPrefix(info.Name, "enrich-work_order-") {
			return s.DeleteConsumer(ctx, info.Name)
		}
	}
	return jetstream.ErrConsumerNotFound
}

// flooded is the row in which more comes than was lost, before the dispatcher is up.
func flooded(r row) row {
	r.name += ", and outgrown since"
	r.flood = true
	return r
}
