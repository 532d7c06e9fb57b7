package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/connectortest"
)

// issuer is a vendor that gives out credentials.
type issuer struct {
	mu    sync.Mutex
	calls []time.Time // when each was asked for
	takes time.Duration
	life  time.Duration
	fail  error
	again bool // give the same one again
}

func (i *issuer) fetch(ctx context.Context) (string, time.Time, error) {
	i.mu.Lock()
	half := i.takes / 2
	i.mu.Unlock()
	if !sleep.For(ctx, half) {
		return "", time.Time{}, ctx.Err()
	}
	i.mu.Lock()
	i.calls = append(i.calls, time.Now()) // here the vendor counts it
	i.mu.Unlock()
	if !sleep.For(ctx, half) {
		return "", time.Time{}, ctx.Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail != nil {
		return "", time.Time{}, i.fail
	}
	n := len(i.calls)
	if i.again {
		n = 1
	}
	return fmt.Sprint("token-", n), time.Now().Add(i.life), nil
}

// count is how often a credential was asked for.
func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.calls)
}

// processes are n Shareds over one vault, as if each ran in a process of its own.
func processes(n int, v Vault, i *issuer, change func(*SharedOptions[string])) []*Shared[string] {
	o := SharedOptions[string]{Name: "kingdee.1", API: "kingdee token", Vault: v, Fetch: i.fetch, Early: 10 * time.Minute, PerMinute: 2, Lease: 30 * time.Second}
	if change != nil {
		change(&o)
	}
	var ps []*Shared[string]
	for range n {
		ps = append(ps, NewShared(o))
	}
	return ps
}

// all runs f on every process, 8 times at once.
func all(ps []*Shared[string], f func(*Shared[string]) (string, error)) (values []string, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range ps {
		for range 8 {
			wg.Go(func() {
				v, e := f(p)
				mu.Lock()
				defer mu.Unlock()
				values, err = append(values, v), errors.Join(err, e)
			})
		}
	}
	wg.Wait()
	slices.Sort(values)
	return slices.Compact(values), err
}

// TestSharedLife follows a credential through its life in three processes: one
// fetch, an early refresh that nobody waits for, a refusal, and the same again.
func TestSharedLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := &issuer{takes: 2 * time.Second, life: 2 * time.Hour}
		ps := processes(3, MemoryVault(), is, nil)
		get := func(p *Shared[string]) (string, error) { return p.Get(t.Context()) }
		step := func(what string, fetches int, want string, f func(*Shared[string]) (string, error)) {
			t.Helper()
			got, err := all(ps, f)
			if err != nil || !slices.Equal(got, []string{want}) || is.count() != fetches {
				t.Fatalf("%s: %v, %v after %d fetches, want %s after %d", what, got, err, is.count(), want, fetches)
			}
		}
		step("first use", 1, "token-1", get)
		<-time.After(111 * time.Minute)
		begun := time.Now()
		step("nearly over", 1, "token-1", get)
		if time.Since(begun) != 0 {
			t.Errorf("callers waited %v for an early refresh", time.Since(begun))
		}
		<-time.After(3 * time.Second)
		step("refreshed behind their backs", 2, "token-2", get)
		step("refused", 3, "token-3", func(p *Shared[string]) (string, error) { return p.Renew(t.Context(), "token-2") })
		step("refused, told late", 3, "token-3", func(p *Shared[string]) (string, error) { return p.Renew(t.Context(), "token-1") })
		<-time.After(3 * time.Hour)
		step("long over", 4, "token-4", get)
		<-time.After(2 * time.Minute)
		is.mu.Lock()
		is.again = true // from here on the vendor gives token-1
		is.mu.Unlock()
		step("refused once more", 5, "token-1", func(p *Shared[string]) (string, error) { return p.Renew(t.Context(), "token-4") })
		<-time.After(2 * time.Minute)
		if got, err := ps[0].Renew(t.Context(), "token-1"); err != nil || got != "token-1" {
			t.Errorf("the vendor insists on the same: %q, %v", got, err)
		}
		synctest.Wait()
	})
}

// TestSharedBudget: whatever processes ask, whenever, however long a fetch takes and
// however it ends, the vendor sees no more than PerMinute calls in any 60 s.
func TestSharedBudget(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perMinute := rapid.IntRange(1, 3).Draw(rt, "per minute")
		steps := rapid.SliceOfN(rapid.IntRange(0, 30_000), 20, 40).Draw(rt, "ms between asks")
		takes := rapid.SliceOfN(rapid.IntRange(0, 12_000), len(steps), len(steps)).Draw(rt, "ms a fetch takes")
		is := &issuer{life: time.Hour}
		synctest.Test(t, func(t *testing.T) {
			ps := processes(3, MemoryVault(), is, func(o *SharedOptions[string]) {
				o.PerMinute, o.Lease = perMinute, 10*time.Second
			})
			var wg sync.WaitGroup
			for n, ms := range steps {
				<-time.After(time.Duration(ms) * time.Millisecond)
				is.mu.Lock()
				is.takes = time.Duration(takes[n]) * time.Millisecond
				is.fail = nil
				if ms%5 == 0 {
					is.fail = errors.New("no")
				}
				is.mu.Unlock()
				p := ps[n%len(ps)]
				wg.Go(func() {
					v, err := p.Get(t.Context())
					if err == nil {
						_, err = p.Renew(t.Context(), v)
					}
					if f := events.FailureOf(err); f != nil && f.Kind == events.Throttled && (f.Wait <= 0 || f.Wait > 70*time.Second) {
						rt.Errorf("throttled for %v", f.Wait)
					}
				})
			}
			wg.Wait()
		})
		for i, from := range is.calls {
			n := 0
			for _, c := range is.calls[i:] {
				if c.Sub(from) < time.Minute {
					n++
				}
			}
			if n > perMinute {
				rt.Fatalf("%d fetches in 60 s, %d allowed: %v", n, perMinute, is.calls)
			}
		}
		if is.count() == 0 {
			rt.Fatal("nothing was fetched: the test says nothing")
		}
	})
}

// TestSharedLeases: a holder that died, and one that was too slow.
func TestSharedLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := MemoryVault()
		is := &issuer{life: time.Hour}
		ps := processes(2, v, is, nil)
		dead, err := json.Marshal(entry{Holder: "a process that died", Until: time.Now().Add(20 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Save(t.Context(), "kingdee.1", dead, 0); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		got, err := all(ps, func(p *Shared[string]) (string, error) { return p.Get(t.Context()) })
		if took := time.Since(begun).Round(time.Second); err != nil || took != 20*time.Second || is.count() != 1 {
			t.Errorf("after a dead holder: %v, %v in %v with %d fetches", got, err, took, is.count())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// The first fetch ignores its context and comes back after its lease. By
		// then the other process has a newer credential, which must win.
		is := &issuer{life: time.Hour}
		v := MemoryVault()
		slow := processes(1, v, is, func(o *SharedOptions[string]) {
			o.Fetch = func(context.Context) (string, time.Time, error) {
				<-time.After(time.Minute)
				return "stale", time.Now().Add(time.Hour), nil
			}
		})[0]
		other := processes(1, v, is, nil)[0]
		var wg sync.WaitGroup
		for _, p := range []*Shared[string]{slow, other} {
			wg.Go(func() {
				if got, err := p.Get(t.Context()); got != "token-1" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
	})
}

// TestSharedDeadHolderCounts: nobody knows when a process that died under its lease
// asked the vendor, so its fetch counts as made at the lease's end.
func TestSharedDeadHolderCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := MemoryVault()
		is := &issuer{life: time.Hour}
		p := processes(1, v, is, func(o *SharedOptions[string]) { o.PerMinute = 1 })[0]
		var e entry
		e.lease("a process that died", time.Now().Add(20*time.Second))
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Save(t.Context(), "kingdee.1", b, 0); err != nil {
			t.Fatal(err)
		}
		_, err = p.Get(t.Context())
		f := events.FailureOf(err)
		if f == nil || f.Kind != events.Throttled || f.Wait != time.Minute {
			t.Fatalf("after the lease: %+v", f)
		}
		<-time.After(f.Wait)
		if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
			t.Errorf("after the wait that it named: %q, %v", got, err)
		}
	})
}

// slowVault takes a second to load.
type slowVault struct{ Vault }

func (s slowVault) Load(ctx context.Context, name string) ([]byte, uint64, error) {
	<-time.After(time.Second)
	return s.Vault.Load(ctx, name)
}

// TestSharedRefusedWhileAdopting: a caller whose credential was refused joins a
// flight that is just adopting that very one. It gets another all the same.
func TestSharedRefusedWhileAdopting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := MemoryVault()
		is := &issuer{life: time.Hour}
		if _, err := processes(1, v, is, nil)[0].Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := processes(1, slowVault{v}, is, nil)[0]
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
				t.Errorf("the one that adopts: %q, %v", got, err)
			}
		})
		synctest.Wait()
		if got, err := p.Renew(t.Context(), "token-1"); err != nil || got != "token-2" {
			t.Errorf("the one that was refused: %q, %v", got, err)
		}
		wg.Wait()
	})
}

// downVault cannot be reached while err is set.
type downVault struct {
	Vault
	err error
}

func (d *downVault) Load(ctx context.Context, name string) ([]byte, uint64, error) {
	if d.err != nil {
		return nil, 0, d.err
	}
	return d.Vault.Load(ctx, name)
}

// TestSharedFailures: what callers get when there is no credential to be had.
func TestSharedFailures(t *testing.T) {
	const leaky = "Get https://h/t?secret=sesame: refused"
	for _, tc := range []struct {
		name  string
		vault error
		fetch func(context.Context) (string, time.Time, error)
		want  events.Kind
	}{
		{"vault down", errors.New(leaky), nil, events.Unavailable},
		{"plain error", nil, func(context.Context) (string, time.Time, error) { return "", time.Time{}, errors.New(leaky) }, events.Internal},
		{"a failure", nil, func(context.Context) (string, time.Time, error) {
			return "", time.Time{}, &events.Failure{Kind: events.Denied, API: "kingdee token"}
		}, events.Denied},
		{"panic", nil, func(context.Context) (string, time.Time, error) { panic(leaky) }, events.Internal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &downVault{Vault: MemoryVault(), err: tc.vault}
				is := &issuer{life: time.Hour}
				fetch := tc.fetch
				p := processes(1, v, is, func(o *SharedOptions[string]) {
					o.Fetch = func(ctx context.Context) (string, time.Time, error) {
						if fetch != nil {
							return fetch(ctx)
						}
						return is.fetch(ctx)
					}
				})[0]
				_, err := p.Get(t.Context())
				f := events.FailureOf(err)
				if f == nil || f.Kind != tc.want || f.API != "kingdee token" {
					t.Errorf("got %+v", f)
				}
				connectortest.NoSecret(t, err, "sesame")
				v.err, fetch = nil, nil
				if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
					t.Errorf("afterwards: %q, %v", got, err)
				}
				// What is in memory is good without the vault.
				v.err = errors.New(leaky)
				if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
					t.Errorf("with the vault down again: %q, %v", got, err)
				}
			})
		})
	}
}

// TestSharedCallerLeaves: a caller that goes does not end the fetch of the others.
func TestSharedCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := &issuer{takes: 5 * time.Second, life: time.Hour}
		p := processes(1, MemoryVault(), is, nil)[0]
		impatient, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Get(impatient); events.KindOf(err) != events.Interrupted {
				t.Errorf("the one that left: %v", err)
			}
		})
		synctest.Wait()
		if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
			t.Errorf("the one that stayed: %q, %v", got, err)
		}
		wg.Wait()
	})
}

// TestSharedEarlyRefreshFails: nobody is told, and the vendor is not hammered.
func TestSharedEarlyRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := &issuer{life: 100 * time.Minute}
		p := processes(1, MemoryVault(), is, nil)[0]
		for range 100 * 6 {
			if got, err := p.Get(t.Context()); err != nil || got != "token-1" {
				t.Fatalf("%q, %v", got, err)
			}
			synctest.Wait()
			is.mu.Lock()
			is.fail = errors.New("down")
			is.mu.Unlock()
			<-time.After(10*time.Second - time.Millisecond)
		}
		if n := is.count(); n < 8 || n > 12 {
			t.Errorf("%d fetches in the last ten minutes, want one a minute", n-1)
		}
	})
}
