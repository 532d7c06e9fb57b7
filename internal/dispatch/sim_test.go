package dispatch_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/schemas"
)

const simMapping = `version: 1
bill: {orderNo: '${component("金蝶工单号")}', wait: 2m}
tables:
  staff:
    rows:
      LiYang: "%[1]s"%[6]s
rules:
  - name: switch
    when: callback.status == "switch"
    late: skip
    body: &b
      handlesdate: "2025-07-17 08:11:41"
      handleedate: "2025-07-17 18:11:41"
      handlemanid: ${lookup("staff", component("员工"))}
      handledeptid: "%[2]s"
      wxztid: F
      processid: "50"
      wtyyid: "%[3]s"
      clfaid: "%[4]s"
      cljgid: "%[5]s"
      clsmid: ${callback.content.text}
  - name: close
    when: callback.status == "close"
    body: {<<: *b, wxztid: H, processid: "100"}
`

func loadSchemas(t *testing.T) *schemas.Set {
	t.Helper()
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// simRules are the mapping without and with the row that operators add.
func simRules(t *testing.T) (out [2]*mapping.Mapping) {
	t.Helper()
	base := fakekingdee.SampleBase()
	for i, row := range []string{"", "\n      WangQiang: \"" + base.Employees[1].ID + "\""} {
		path := filepath.Join(t.TempDir(), "m.yaml")
		text := fmt.Sprintf(simMapping, base.Employees[0].ID, base.Departments[0].ID, base.Reasons[0].ID, base.Schemes[0].ID, base.Results[0].ID, row)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := mapping.Load(path, mapping.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = m
	}
	return out
}

// quickly lets garbage lie a little: a history leaves little behind.
func quickly(t *testing.T) {
	t.Helper()
	was := debug.SetGCPercent(800)
	t.Cleanup(func() { debug.SetGCPercent(was) })
}

// play runs one history in a bubble of its own.
func play(t *testing.T, seed uint64, tools *tools, m mistake, verbose bool) (w *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if w, err = newWorld(seed, tools, m, verbose); err != nil {
			t.Fatal(err)
		}
		w.run()
	})
	return w
}

var (
	simSeeds = flag.Int("sim.seeds", 0, "histories of the simulation; 0: the usual number")
	simAll   = flag.Bool("sim.accidents", false, "an accident of the store in every history, not in one of six")
	simFirst = flag.Uint64("sim.first", 1, "the first one's seed")
)

// sweep plays histories side by side until one fails.
func sweep(t *testing.T, tools *tools, first uint64, n int, all *tally) (bad *world) {
	t.Helper()
	var mu sync.Mutex
	next := first
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, bad == nil && next <= first+uint64(n)
	}
	t.Run("seeds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("side", func(t *testing.T) {
				t.Parallel()
				for seed, more := take(); more; seed, more = take() {
					w := play(t, seed, tools, mistake{accidents: *simAll}, false)
					mu.Lock()
					all.add(w)
					if w.bad != "" {
						bad = w
					}
					mu.Unlock()
				}
			})
		}
	})
	return bad
}

// Everything at once, from a printed seed: GONGDAN_SEED=n tells the n-th history
// alone, as it goes.
func TestSimulation(t *testing.T) {
	tools := newTools(t)
	quickly(t)
	if text := os.Getenv("GONGDAN_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tell(t, seed, tools)
		return
	}
	n := *simSeeds
	if n == 0 {
		n = simDefault
		if testing.Short() {
			n /= 20
		}
	}
	begun := time.Now()
	var all tally
	bad := sweep(t, tools, *simFirst, n, &all)
	t.Logf("%d seeds from %d in %v: %+v", n, *simFirst, time.Since(begun).Truncate(time.Millisecond), all)
	if bad != nil {
		t.Errorf("seed %d (GONGDAN_SEED=%[1]d repeats it): %s", bad.seed, bad.bad)
		tell(t, bad.seed, tools)
		return
	}
	// A simulation in which nothing happens proves nothing.
	if all.kills < n || all.records < n || all.letters < n/20 || all.owners < 2*n || all.replays < n/20 {
		t.Fatal("the worlds are too quiet")
	}
}

// tell plays a history with its log, a few times: side by side, goroutines do not
// run in one order alone.
func tell(t *testing.T, seed uint64, tools *tools) {
	t.Helper()
	var w *world
	for range 5 {
		if w = play(t, seed, tools, mistake{accidents: *simAll}, true); w.bad != "" {
			t.Fail()
			break
		}
	}
	t.Logf("seed %d: %s\nweather %+v\n%s", seed, w.bad, w.weather, w.story())
}

// tally counts what happened in many histories.
type tally struct{ callbacks, records, letters, replays, kills, owners int }

func (c *tally) add(w *world) {
	for _, i := range w.books.inputs {
		switch {
		case i.replay > 0:
			c.replays++
		case i.stage == events.Enrich:
			c.callbacks++
		}
	}
	c.records += len(w.kingdee.Records(""))
	c.letters += len(w.books.letters)
	c.kills += w.kills
	c.owners += w.books.owners()
}
