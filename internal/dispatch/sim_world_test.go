package dispatch_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/memory"
	"gongdan-bridge/internal/testwing/script"
)

// world is one history of the simulation, in a synctest bubble: replicas of the
// dispatcher over JetStream in memory, between both simulated vendors, with the
// people who act in Weiban and on letters. All that goes wrong is drawn from the
// seed, each draw from what it is about and how often that came before: so a
// seed repeats itself as far as goroutines that run side by side let it.
type world struct {
	seed    uint64
	rng     *rand.Rand // of the plan, drawn before anything runs
	tools   *tools
	mistake mistake
	weather weather
	calm    time.Time // nothing goes wrong from here on

	server  *memory.Server
	state   *memory.Bucket
	box     *deadletter.Box // the people's
	weiban  *fakeweiban.Server
	kingdee *fakekingdee.Server
	faultsW *script.Script
	faultsK *script.Script
	fixed   atomic.Bool // the mapping's table has its missing row

	agenda   []act
	accident accident
	acting   sync.WaitGroup // what people do, and processes that run down
	people   people
	books    books

	mu      sync.Mutex
	nth     map[string]uint64
	olds    map[string]stale // of the mistake that reads them
	slots   []*process       // who runs in each
	started int
	over    bool // nothing is launched any more
	kills   int
	bad     string // the first violation
	verbose bool
	log     []string
	begin   time.Time
}

// act is something that happens at a time.
type act struct {
	at time.Time
	do func()
}

// tools are what all histories share, and cost time to make.
type tools struct {
	codec *events.Codec
	rules [2]*mapping.Mapping // without and with the row that is added
}

func newTools(t *testing.T) *tools {
	t.Helper()
	set := loadSchemas(t)
	return &tools{codec: events.NewCodec(set), rules: simRules(t)}
}

// calmAfter is how long things go wrong.
const calmAfter = 4 * time.Minute

func newWorld(seed uint64, tools *tools, m mistake, verbose bool) (*world, error) {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 11)), tools: tools, mistake: m, verbose: verbose,
		server: memory.New(), faultsW: script.New(seed), faultsK: script.New(seed + 1), nth: map[string]uint64{}, olds: map[string]stale{},
	}
	// Not in the bubble's first year: the vendors' numbers are made of the time.
	sleep.For(context.Background(), time.Until(time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)))
	w.begin = time.Now()
	w.calm = w.begin.Add(calmAfter)
	w.state = w.server.Bucket(bus.State)
	w.box = deadletter.NewBox(w.server, time.Now)
	w.books = newBooks(w)
	var err error
	if w.weiban, err = fakeweiban.New(fakeweiban.Options{Script: w.faultsW, Seed: seed + 2}); err != nil {
		return nil, err
	}
	w.kingdee = fakekingdee.New(fakekingdee.Options{Script: w.faultsK, AnyReference: true, Seed: seed + 3, ReadLag: m.readLag})
	for _, start := range []func(context.Context, string) error{w.weiban.Start, w.kingdee.Start} {
		if err := start(context.Background(), script.InMemory); err != nil {
			return nil, err
		}
	}
	w.plan()
	return w, nil
}

// run lets the history happen and come to rest, and holds it to the promises.
func (w *world) run() {
	for i := range w.slots {
		w.launch(i)
	}
	slices.SortStableFunc(w.agenda, func(a, b act) int { return a.at.Compare(b.at) })
	for _, a := range w.agenda {
		sleep.For(context.Background(), time.Until(a.at))
		a.do()
	}
	sleep.For(context.Background(), time.Until(w.calm))
	w.heal()
	limit := w.calm.Add(3 * time.Hour)
	for why := w.restless(); why != ""; why = w.restless() {
		if w.failed() || time.Now().After(limit) {
			w.fail("it never comes to rest: %s", why)
			break
		}
		w.people.round()
		sleep.For(context.Background(), 20*time.Second)
	}
	for _, p := range w.end() {
		p.stop()
	}
	w.acting.Wait()
	if !w.failed() {
		w.books.close()
	}
}

// end lets nothing more be launched, and says what is to be stopped.
func (w *world) end() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	return slices.Clone(w.slots[:])
}

// heal ends all that goes wrong: from now on everything works.
func (w *world) heal() {
	w.logf("calm")
	w.faultsW.Clear()
	w.faultsK.Clear()
	w.fixed.Store(true)
	for slot := range w.slots {
		w.in(slot).wake()
	}
	w.people.resume(w.calm.Add(time.Hour))
}

// at lets something happen at a moment of the history's.
func (w *world) at(d time.Duration, do func()) {
	w.agenda = append(w.agenda, act{w.begin.Add(d), do})
}

// between is a time of the plan's.
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// one is true in one of n histories.
func (w *world) one(n int) bool { return w.rng.IntN(n) == 0 }

// dice are those of the n-th time that something happens.
func (w *world) dice(what string) *rand.Rand {
	w.mu.Lock()
	w.nth[what]++
	n := w.nth[what]
	w.mu.Unlock()
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // never fails
	return rand.New(rand.NewPCG(w.seed^h.Sum64(), n))
}

func (w *world) fail(format string, args ...any) {
	w.logf("VIOLATION "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad = cmp.Or(w.bad, fmt.Sprintf(format, args...))
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad != ""
}

func (w *world) logf(format string, args ...any) {
	if !w.verbose {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, time.Since(w.begin).Truncate(time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
}

// story is the log's end.
func (w *world) story() string { return strings.Join(w.log[max(0, len(w.log)-600):], "\n") }
