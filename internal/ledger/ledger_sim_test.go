package ledger_test

import (
	"flag"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

var (
	simSeeds = flag.Int("sim.seeds", simSeedsDefault, "histories of the simulation")
	simFirst = flag.Uint64("sim.first", 1, "the first one's seed")
)

// play runs one history and returns the violation and, if asked, the trace.
func play(seed uint64, m mutant, verbose bool, set func(*world)) *world {
	w := newWorld(seed)
	w.mutant, w.verbose = m, verbose
	set(w)
	w.run(60_000)
	if w.bad == "" {
		w.close()
	}
	return w
}

// report plays a failed history again and tells it.
func report(t *testing.T, seed uint64, m mutant, set func(*world)) {
	t.Helper()
	w := play(seed, m, true, set)
	tail := w.log[max(0, len(w.log)-400):]
	t.Fatalf("seed %d: %s\nsettings %+v\nweather %+v\n%s", seed, w.bad, w.s, w.w, strings.Join(tail, "\n"))
}

// sweepSeeds plays n histories side by side and reports the first that fails.
func sweepSeeds(t *testing.T, n int, set func(*world), each func(*world)) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := uint64(0)
	workers := uint64(runtime.GOMAXPROCS(0))
	for k := range workers {
		wg.Go(func() {
			for seed := *simFirst + k; seed < *simFirst+uint64(n); seed += workers {
				w := play(seed, sound, false, set)
				mu.Lock()
				if w.bad != "" && (failed == 0 || seed < failed) {
					failed = seed
				}
				if each != nil {
					each(w)
				}
				stop := failed != 0
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != 0 {
		report(t, failed, sound, set)
	}
}

// Everything at once, from a printed seed.
func TestSimulation(t *testing.T) {
	var calls, deals, letters, owners, replays, broke int
	start := time.Now()
	sweepSeeds(t, *simSeeds, (*world).foul, func(w *world) {
		calls += w.books.calls
		broke += w.books.broke
		deals += len(w.kingdee.deals)
		letters += len(w.letters)
		owners += w.epoch
		for _, s := range w.streams {
			for _, m := range s.msgs {
				replays += min(m.Replay, 1)
			}
		}
		if w.books.alerts[ledger.AlarmDoubled]+w.books.alerts[ledger.AlarmVanished]+w.books.alerts[ledger.AlarmDisorder] > 0 && w.bad == "" {
			w.fail("alarm without a reason: %v", w.books.alerts)
			t.Errorf("alarms %v", w.books.alerts)
		}
	})
	t.Logf("%d seeds from %d in %s: %d calls, %d records, %d letters, %d owners, %d replays, %d faults of ours",
		*simSeeds, *simFirst, time.Since(start).Truncate(time.Millisecond), calls, deals, letters, owners, replays, broke)
	// A simulation in which nothing happens proves nothing.
	if n := *simSeeds; calls < n || deals < n || letters < n/10 || owners < n || replays < n/20 || broke < n/20 {
		t.Fatal("the worlds are too quiet")
	}
}

// The properties can fail: each mistake is noticed within a few worlds.
func TestSimulationNoticesMistakes(t *testing.T) {
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 1500; seed++ {
				if w := play(seed, m, false, (*world).foul); w.bad != "" {
					t.Logf("seed %d: %s", seed, w.bad)
					return
				}
			}
			t.Fatal("nobody noticed")
		})
	}
}

// Hours of a vendor being down make no letter, and then everything is done.
func TestOutageMakesNoLetters(t *testing.T) {
	for _, hours := range []time.Duration{4, 30} {
		for _, api := range []ledger.API{ledger.Detail, ledger.Reads, ledger.Uploads, ledger.Writes} {
			sweepSeeds(t, 40, func(w *world) {
				w.w = weather{control: true, down: map[ledger.API][][2]time.Duration{api: {{0, hours * time.Hour}}}}
				w.calm = begin.Add(hours * time.Hour)
				w.w.kill = 0.001
				w.people(3, 12)
				for _, sp := range w.specs {
					sp.noRule, sp.unmapped, sp.late = false, time.Time{}, ledger.LateApply
				}
				w.after(0, w.takeOver)
			}, func(w *world) {
				if len(w.letters) > 0 && w.bad == "" {
					t.Errorf("%d letters after %d h without %s", len(w.letters), hours, api)
				}
			})
		}
	}
}

// A commit after the last look doubles a record. That is all it does, and it
// raises the alarm; so does a call of a stopped owner that nothing could stop.
func TestCommitAfterTheLastLookIsFound(t *testing.T) {
	doubled := 0
	for _, late := range []func(*weather){
		func(w *weather) { w.afterLook = true; w.call = 0.3 },
		func(w *weather) { w.staleCall = true; w.stop = 0.02 },
	} {
		sweepSeeds(t, 1000, func(w *world) {
			w.w = weather{control: true}
			late(&w.w)
			w.calm = begin.Add(2 * time.Hour)
			w.people(2, 6)
			w.after(0, w.takeOver)
		}, func(w *world) {
			marks := map[string]int{}
			for _, d := range w.kingdee.deals {
				if marks[d.marker]++; marks[d.marker] != 2 {
					continue
				}
				doubled++
				if w.books.alerts[ledger.AlarmDoubled] == 0 && w.bad == "" {
					t.Errorf("marker %s stands twice and nobody is told", d.marker)
				}
			}
			if len(marks) == len(w.kingdee.deals) && w.books.alerts[ledger.AlarmDoubled] > 0 {
				t.Errorf("alarm without a double")
			}
		})
	}
	if doubled == 0 {
		t.Fatal("no world had a double")
	}
	t.Logf("%d doubles, all told", doubled)
}

// An answer of loadList that is not understood leads to letters, never to a
// second record.
func TestWhatCannotBeReadIsAskedAbout(t *testing.T) {
	held := 0
	sweepSeeds(t, 300, func(w *world) {
		w.w = weather{control: true, misread: 1, call: 0.6}
		w.calm = begin.Add(1000 * time.Hour)
		w.people(2, 6)
		w.after(0, w.takeOver)
	}, func(w *world) {
		for _, l := range w.letters {
			if l.held && l.p.Verdict.Fault.Kind == events.Uncertain {
				held++
			}
		}
	})
	if held == 0 {
		t.Fatal("nobody was asked")
	}
}
