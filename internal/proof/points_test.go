package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/harness"
)

// points are where a test build can be told to die, each by how often a visit comes
// by it: those that both stages have, and that a handled event has several times,
// come first in enrich.
var points = map[string]int{"write": 3, "wrote": 3, "call": 1, "called": 1, "publish": 2, "published": 2, "ack": 2}

// crashAt is the variable that a test build reads.
const crashAt = "GONGDAN_CRASH"

// dieAt lets a process die when it comes by a point for the n-th time.
func dieAt(point string, n int) []string { return []string{fmt.Sprintf("%s=%s:%d", crashAt, point, n)} }

// pointOf is the point at which a process was to die.
func pointOf(env []string) string {
	for _, e := range env {
		if what, ok := strings.CutPrefix(e, crashAt+"="); ok {
			point, _, _ := strings.Cut(what, ":")
			return point
		}
	}
	return "none"
}

// TestEveryCrashPoint: the dispatcher dies once at each point between two effects,
// at each of the times that an event comes by it, and the books hold.
func TestEveryCrashPoint(t *testing.T) {
	t.Parallel()
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 3))
	in := install(t, s, set{Options: harness.Options{Programs: programs(t)}})
	c, dispatcher := in.customers[0], in.Dispatchers[0]
	var plan [][]string
	for point, times := range points {
		for n := range times {
			plan = append(plan, dieAt(point, n+1))
		}
	}
	died := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	in.ready(in.keep(in.Ingest, dice, harness.Keeping{}))
	books := in.books()
	in.clerk(books)
	lives, births := c.orders(t, len(plan), 0)
	c.Weiban.Post(t.Context(), births...)
	in.keep(dispatcher, dice, harness.Keeping{
		Env: func() []string {
			mu.Lock()
			defer mu.Unlock()
			if len(plan) == 0 {
				return nil
			}
			next := plan[0]
			plan = plan[1:]
			return next
		},
		Ended: func(env []string, how harness.Ending) {
			select {
			case died <- fmt.Sprintf("%s %d", strings.Join(env, " "), how):
			case <-ctx.Done():
			}
		},
	})
	defer cancel() // before the keeper is told to end
	began := time.Now()
	for i, env := range append([][]string{}, plan...) {
		c.Weiban.Post(t.Context(), c.visit(t, lives[i], lives[i].handler))
		select {
		case got := <-died:
			if want := fmt.Sprintf("%s %d", strings.Join(env, " "), harness.Died); got != want {
				t.Fatalf("a process ended as %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%s: no process died there", env)
		}
	}
	for _, l := range lives {
		c.Weiban.Post(t.Context(), c.end(t, l))
	}
	books.settledAfter(t, c)
	books.audited(t)
	in.breaches()
	if n := len(c.Kingdee.Records("")); n != 2*len(lives) {
		t.Errorf("%d handling records of %d visits and closes", n, 2*len(lives))
	}
	t.Logf("died %d times in %v", len(lives), time.Since(began).Round(time.Millisecond))
}
