package dispatch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
)

// mistake is one thing wrong with the bridge, planted at its edge: what it sends,
// what it is told. The zero mistake is none.
type mistake struct {
	publish         func(p *process, m *bus.Message) // may change it; without a subject it is not sent
	next            func(subject string) error
	deliver         func(s *sieve, d *bus.Delivery) *bus.Delivery
	get             func(w *world, key string) (*bus.Entry, error)
	put             func(p *process, key string) bool // true: said to be done, and not done
	unfenced        bool
	floorTooHigh    bool
	leavesConsumers bool
	forgetsWaiting  bool
	repeatsWrites   bool
	believesLease   bool
	readsOld        bool
	readLag         time.Duration // of Kingdee's records
	accidents       bool          // each world has one
	identity        func(w *world, name string, id *bus.Identity)
	witness         bool // a message that was there is believed to be there
}

// forgetful are mistakes about a store that has had an accident.
func forgetful() map[string]mistake {
	return map[string]mistake{
		"believes that the store is what it was": {accidents: true, witness: true, identity: func(w *world, name string, id *bus.Identity) {
			if was, ok := w.accident.was[name]; ok {
				id.Missing, id.Life, id.Last = false, was.Life, max(id.Last, was.Last)
			}
		}},
		"compares numbers and no witness": {accidents: true, witness: true},
		"makes records again without outcomes": {accidents: true, next: func(subject string) error {
			if strings.Contains(subject, ".handle_order.*.") {
				return bus.ErrNotFound
			}
			return nil
		}},
		"believes a look in doubt without proof": {accidents: true, readLag: 10 * time.Minute, get: func(w *world, key string) (*bus.Entry, error) {
			if !strings.HasPrefix(key, "control.") {
				return nil, nil
			}
			return &bus.Entry{Key: key, Value: fmt.Appendf(nil, `{"proven":true,"history":%q}`, w.history().History)}, nil
		}},
		"takes records of another history as they are": {accidents: true, get: func(w *world, key string) (*bus.Entry, error) {
			if !strings.HasPrefix(key, "order.") {
				return nil, nil
			}
			e, err := w.state.Get(context.Background(), key)
			var r ledger.Record
			if err == nil {
				r, err = ledger.Decode(e.Value)
			}
			r.Enrich.History, r.Handle.History = w.history().History, w.history().History
			if err == nil {
				e.Value, err = r.Encode()
			}
			return &e, err
		}},
		"makes no letter again that went": {accidents: true, get: func(w *world, key string) (*bus.Entry, error) {
			e, err := w.state.Get(context.Background(), key)
			if key != history.Key || err != nil {
				return nil, nil
			}
			e.Value = bytes.Replace(e.Value, []byte(`"letters":true`), []byte(`"letters":false`), 1)
			return &e, nil
		}},
		"looks at no order again": {accidents: true, next: func(subject string) error {
			if strings.HasSuffix(subject, ".*") && !strings.Contains(subject, ".handle_order.") {
				return bus.ErrNotFound
			}
			return nil
		}},
	}
}

// history is what the store has on record of itself.
func (w *world) history() history.Record {
	e, err := w.state.Get(context.Background(), history.Key)
	var r history.Record
	if err == nil {
		r, err = history.Decode(e)
	}
	if err != nil {
		w.logf("no record of the store: %v", err)
	}
	return r
}

// remembered is the message that lay there before the accident; nil for none.
func (a *accident) remembered(stream string, sequence uint64) *bus.Stored {
	for i, m := range a.known[stream] {
		if m.Sequence == sequence {
			return &a.known[stream][i]
		}
	}
	return nil
}

// mistakes are those that the simulation must notice.
func mistakes() map[string]mistake {
	return map[string]mistake{
		"writes records without a fence": {unfenced: true},
		"acknowledges before it writes": {deliver: func(_ *sieve, d *bus.Delivery) *bus.Delivery {
			if d.Ack() != nil {
				return nil
			}
			return d
		}},
		"vouches for the order of all that comes": {deliver: func(s *sieve, d *bus.Delivery) *bus.Delivery {
			s.turn++
			d.Turn, d.Delivered = s.turn, 1
			return d
		}},
		"publishes no outcome twice, and some not at all": {publish: func(p *process, m *bus.Message) {
			if strings.Contains(m.Subject, ".kingdee.") && p.w.dice("skip "+m.ID).IntN(3) == 0 {
				m.Subject = ""
			}
		}},
		"looks for no publication before it repeats it": {
			next: func(subject string) error {
				if strings.Contains(subject, ".kingdee.") || strings.Contains(subject, ".dead.") {
					return bus.ErrNotFound
				}
				return nil
			},
			publish: func(p *process, m *bus.Message) {
				m.ID += " " + p.name // and the server does not know it again
			},
			get: nothingWaits,
		},
		"takes for settled what was only delivered": {floorTooHigh: true},
		"loads nothing that waits":                  {forgetsWaiting: true},
		"lists nothing that waits":                  {put: func(_ *process, key string) bool { return strings.HasPrefix(key, "wait.") }},
		"never unlists":                             {put: func(_ *process, key string) bool { return strings.HasPrefix(key, "unwait.") }},
		"loses a record now and then": {put: func(p *process, key string) bool {
			return strings.HasPrefix(key, "order.") && p.w.dice("lose "+key).IntN(10) == 0
		}},
		"reads records that are a write old": {readsOld: true},
		"forgets that an operator holds the stage": {get: func(_ *world, key string) (*bus.Entry, error) {
			if strings.HasPrefix(key, "pause.") {
				return &bus.Entry{}, bus.ErrNotFound
			}
			return nil, nil
		}},
		"believes a silence that proves nothing": {readLag: 10 * time.Minute, get: func(_ *world, key string) (*bus.Entry, error) {
			if strings.HasPrefix(key, "control.") {
				return &bus.Entry{Key: key, Value: []byte(`{"proven":true}`)}, nil
			}
			return nil, nil
		}},
		"sends a write again that got no answer":   {repeatsWrites: true},
		"leaves its consumers behind":              {leavesConsumers: true},
		"believes in a lease that was not renewed": {believesLease: true},
		"finds no follower in the stream": {next: func(subject string) error {
			if strings.Contains(subject, ".enriched.") || strings.Contains(subject, ".weiban.") {
				return bus.ErrNotFound
			}
			return nil
		}},
	}
}

// nothingWaits is a bucket without wait keys, for whoever asks for one of them.
func nothingWaits(_ *world, key string) (*bus.Entry, error) {
	if strings.HasPrefix(key, "wait.") {
		return &bus.Entry{Key: key}, nil
	}
	return nil, nil
}

// fence is the one that a write is held to.
func (m mistake) fence(f bus.Fence) bus.Fence {
	if m.unfenced {
		f.Key, f.Revision = "nobody", 0
	}
	return f
}

// old keeps what a key held before it is written, for whoever reads it so.
func (b portBucket) old(key string) {
	if b.p.w.mistake.readsOld && strings.HasPrefix(key, "order.") {
		e, err := b.p.w.state.Get(context.Background(), key)
		b.p.w.mu.Lock()
		defer b.p.w.mu.Unlock()
		b.p.w.olds[key] = stale{e, err}
	}
}

type stale struct {
	bus.Entry

	err error
}

// again sends what got no answer once more, as some transports do.
func (t *wire) again(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return t.base.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := t.base.RoundTrip(r)
	if err == nil || r.Context().Err() != nil {
		return resp, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return t.base.RoundTrip(r)
}

// The properties can fail: each mistake is noticed within a few worlds.
func TestSimulationNoticesMistakes(t *testing.T) {
	tools := newTools(t)
	quickly(t)
	all := mistakes()
	maps.Copy(all, forgetful())
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 400; seed++ {
				if w := play(t, seed, tools, m, false); w.bad != "" {
					t.Logf("seed %d: %.300s", seed, w.bad)
					return
				}
			}
			t.Fatal("nobody noticed")
		})
	}
}
