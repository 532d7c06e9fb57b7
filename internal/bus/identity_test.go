package bus_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

// The life of a stream or bucket stays over a restart of the server and a change of
// limits; one that was removed and made again has another.
func TestLife(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	b := bustest.Connect(t, s, bus.Options{})
	publish(t, b, callback(1), callback(2))
	must(b.Bucket(bus.State).Put(within(t), "alive.one", nil))(t)
	lives := func(b *bus.Bus) map[string]bus.Identity {
		t.Helper()
		out := map[string]bus.Identity{}
		for _, name := range []string{bus.Callbacks, bus.Events, bus.State, bus.Tables} {
			out[name] = must(b.Identity(within(t), name))(t)
		}
		return out
	}
	before := lives(b)
	if c, k := before[bus.Callbacks], before[bus.State]; c.Last != 2 || c.First != 1 || c.LastTime.IsZero() || k.Last != 1 || c.Now.Before(c.LastTime) {
		t.Errorf("CALLBACKS %+v, STATE %+v", c, k)
	}
	stop(t, s)
	s = start(t, natsd.Options{Dir: dir})
	limits := bus.Limits{Of: map[string]bus.Limit{bus.Callbacks: {MaxBytes: 1 << 30}, bus.State: {MaxBytes: 1 << 20}}}
	b = bustest.Connect(t, s, bus.Options{Limits: limits})
	seen := map[string]bool{}
	for name, now := range lives(b) {
		if now.Life == "" || now.Life != before[name].Life || now.Last != before[name].Last || seen[now.Life] {
			t.Errorf("%s was %+v, is %+v", name, before[name], now)
		}
		seen[now.Life] = true
	}
	bustest.Remove(t, s, bus.Callbacks)
	bustest.Remove(t, s, "KV_"+bus.State)
	if id := must(b.Identity(within(t), bus.State))(t); !id.Missing {
		t.Errorf("removed: %+v", id)
	}
	missing := must(b.Mend(within(t)))(t)
	if want := []string{bus.Callbacks, "KV_" + bus.State}; !slices.Equal(missing, want) {
		t.Errorf("made again %v, want %v", missing, want)
	}
	for name, now := range lives(b) {
		if again := name == bus.Callbacks || name == bus.State; again != (now.Life != before[name].Life) {
			t.Errorf("%s had life %q, has %q", name, before[name].Life, now.Life)
		}
	}
	if missing := must(b.Mend(within(t)))(t); len(missing) != 0 {
		t.Errorf("made %v, and nothing was missing", missing)
	}
}

// A stream that a version without lives has made is known by when that was, and that
// stays so.
func TestLifeOfAStreamThatWasGivenNone(t *testing.T) {
	s := bustest.Server(t)
	js := raw(t, s)
	old := must(js.CreateStream(within(t), jetstream.StreamConfig{
		Name: bus.Audit, Subjects: []string{"gongdan.*.audit.>"}, MaxMsgsPerSubject: -1, Discard: jetstream.DiscardNew,
	}))(t)
	b := bustest.Connect(t, s, bus.Options{}) // which changes its limits
	id := must(b.Identity(within(t), bus.Audit))(t)
	if !strings.HasPrefix(id.Life, "created ") || !id.Created.Equal(old.CachedInfo().Created) {
		t.Errorf("identity %+v", id)
	}
	if again := must(b.Identity(within(t), bus.Audit))(t); again.Life != id.Life {
		t.Errorf("life %q, then %q", id.Life, again.Life)
	}
}
