package connectors

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
)

// SharedOptions describes a credential that all processes use together.
type SharedOptions[T any] struct {
	Name  string // of the entry in the vault
	API   string // for failures: "weiban access_token/get"
	Vault Vault

	// Fetch asks the vendor for a new credential and says when it expires (zero =
	// unknown, until it is refused). It should make one call of the kind that
	// PerMinute counts; an error that is [Unspent] says that it did not come to that
	// call. T must survive encoding/json.
	Fetch func(ctx context.Context) (T, time.Time, error)

	// Known is told of every credential, the vendor's and the vault's, before it comes
	// into use, so that it can be kept out of logs; nil: nobody is.
	Known func(T)

	Early     time.Duration     // fetch a new one this long before the end, behind the callers' backs; at most half its life
	PerMinute int               // fetches in any 60 s over all processes
	Lease     time.Duration     // the longest that a fetch may take
	Equal     func(a, b T) bool // default reflect.DeepEqual
}

// Unspent is the error of a Fetch whose counted call cannot have reached the vendor,
// such as one that found no connection: it leaves the minute's fetches as they were.
func Unspent(err error) error { return &unspentError{err} }

type unspentError struct{ error }

func (e *unspentError) Unwrap() error { return e.error }

// Shared is a credential of which one process at a time fetches a new one, and
// which the others then adopt from the vault. Safe for concurrent use.
//
// The vault is not asked while the one in memory is good. Where it is needed and
// cannot be reached, the answer is Unavailable: a credential outside the
// vault would invalidate the one that the others use.
type Shared[T any] struct {
	o       SharedOptions[T]
	holder  string // this Shared, in leases
	flights singleflight.Group

	mu         sync.Mutex
	held       *held[T]
	refreshing bool
	quietUntil time.Time // no early refresh before, after one that failed
}

// held is a credential in memory.
type held[T any] struct {
	value            T
	fetched, expires time.Time
	own              bool // fetched by this process, not adopted from the vault
}

func (h *held[T]) good(now time.Time) bool {
	return h != nil && (h.expires.IsZero() || now.Before(h.expires))
}

// due is true from Early before the end on.
func (h *held[T]) due(now time.Time, early time.Duration) bool {
	if h.expires.IsZero() {
		return false
	}
	early = min(early, h.expires.Sub(h.fetched)/2)
	return !now.Before(h.expires.Add(-early))
}

// poll is the time between two looks at another process's fetch.
const poll = 200 * time.Millisecond

// NewShared makes a Shared. Nothing is fetched before it is asked.
func NewShared[T any](o SharedOptions[T]) *Shared[T] {
	if o.Known == nil {
		o.Known = func(T) {}
	}
	if o.Equal == nil {
		o.Equal = func(a, b T) bool { return reflect.DeepEqual(a, b) }
	}
	return &Shared[T]{o: o, holder: rand.Text()}
}

// Get gives the credential in use; it fetches only where there is none. Errors are
// *events.Failure: Fetch's own, Unavailable (vault), Throttled (the minute's
// fetches are spent; Wait says how long), Interrupted.
func (s *Shared[T]) Get(ctx context.Context) (T, error) {
	now := time.Now()
	s.mu.Lock()
	h := s.held
	refresh := h.good(now) && h.due(now, s.o.Early) && !s.refreshing && !now.Before(s.quietUntil)
	if refresh {
		s.refreshing = true
	}
	s.mu.Unlock()
	if refresh {
		go s.refresh(context.WithoutCancel(ctx))
	}
	if h.good(now) {
		return h.value, nil
	}
	return s.obtain(ctx, want[T]{})
}

// Renew gives another credential than failed, which the vendor has refused. Where
// another caller or process has already replaced it, theirs is adopted. If the
// vendor itself gives the same again, so does Renew. Errors are those of Get.
func (s *Shared[T]) Renew(ctx context.Context, failed T) (T, error) {
	s.mu.Lock()
	h := s.held
	s.mu.Unlock()
	if h.good(time.Now()) && !s.o.Equal(h.value, failed) {
		return h.value, nil
	}
	return s.obtain(ctx, want[T]{not: &failed})
}

// want says which entry of the vault will do.
type want[T any] struct {
	not   *T   // refused by the vendor
	fresh bool // one that is not due yet
}

// obtain joins the process's one fetch. A fetch that was started for less than
// w wants (it may have adopted what the vendor refused us) is followed by another.
func (s *Shared[T]) obtain(ctx context.Context, w want[T]) (T, error) {
	var none T
	for {
		detached := context.WithoutCancel(ctx)
		ch := s.flights.DoChan("", func() (any, error) { return s.fetchOnce(detached, w) })
		select {
		case <-ctx.Done():
			f := stopped(ctx)
			f.API = s.o.API
			return none, f
		case r := <-ch:
			if r.Err != nil {
				return none, r.Err
			}
			h := r.Val.(*held[T])
			if h.own || w.not == nil || !s.o.Equal(h.value, *w.not) {
				return h.value, nil
			}
		}
	}
}

// refresh replaces a credential that is due, while callers go on with it.
func (s *Shared[T]) refresh(ctx context.Context) {
	_, err := s.obtain(ctx, want[T]{fresh: true})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshing = false
	s.quietUntil = time.Time{}
	if err != nil {
		s.quietUntil = time.Now().Add(max(s.o.Early/10, poll, events.FailureOf(err).Wait))
	}
}

func (s *Shared[T]) adopt(h *held[T]) {
	s.o.Known(h.value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = h
}

// fetchOnce gets a credential from the vault or from the vendor; one at a time in
// this process, and by the vault's lease one at a time over all.
func (s *Shared[T]) fetchOnce(ctx context.Context, w want[T]) (h *held[T], err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*s.o.Lease)
	defer cancel()
	for h == nil && err == nil {
		h, err = s.attempt(ctx, w)
	}
	if err != nil {
		return nil, s.failure(err)
	}
	s.adopt(h)
	return h, nil
}

// failure is err as an *events.Failure of this credential's API. What Fetch gave
// as a plain error may quote anything, so its text is scrubbed.
func (s *Shared[T]) failure(err error) *events.Failure {
	f := (*events.Failure)(nil)
	if !errors.As(err, &f) {
		f = events.FailureOf(Scrub(err))
	}
	g := *f
	if g.API == "" {
		g.API = s.o.API
	}
	return &g
}

// attempt is one look at the vault and what follows from it; neither result nor
// error means: look again.
func (s *Shared[T]) attempt(ctx context.Context, w want[T]) (*held[T], error) {
	e, revision, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if h := s.usable(e, w, now); h != nil {
		return h, nil
	}
	if e.leasedTo(s.holder, now) {
		if !sleep.For(ctx, poll) {
			return nil, &events.Failure{Kind: events.Unavailable, Reason: "another process has been fetching the token for too long"}
		}
		return nil, nil
	}
	if wait := e.spentFor(s.o.PerMinute, now); wait > 0 {
		return nil, &events.Failure{Kind: events.Throttled, Wait: wait, Reason: fmt.Sprintf("the minute's %d token fetches are spent", s.o.PerMinute)}
	}
	e.lease(s.holder, now.Add(s.o.Lease))
	revision, err = s.save(ctx, e, revision)
	if errors.Is(err, ErrRace) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.fetch(ctx, e, revision)
}

// fetch asks the vendor under a lease, and gives the lease back with the result.
func (s *Shared[T]) fetch(ctx context.Context, e entry, revision uint64) (*held[T], error) {
	value, expires, ferr := s.ask(ctx)
	if unspent := (*unspentError)(nil); errors.As(ferr, &unspent) {
		e.forgive()
	} else {
		e.release(time.Now())
	}
	h := &held[T]{value: value, fetched: time.Now(), expires: expires, own: true}
	if ferr == nil {
		ferr = e.put(h.value, h.fetched, h.expires)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Lease)
	defer cancel()
	_, serr := s.save(end, e, revision)
	switch {
	case ferr != nil:
		return nil, ferr
	case errors.Is(serr, ErrRace):
		return nil, nil // our lease was over: its next holder fetched later than we did
	case serr != nil:
		return nil, serr
	}
	return h, nil
}

// ask calls Fetch for at most the lease's time; its panic is a failure, since
// nothing else recovers in its goroutine.
func (s *Shared[T]) ask(ctx context.Context) (value T, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Lease)
	defer cancel()
	defer func() {
		if recover() != nil {
			err = &events.Failure{Kind: events.Internal, Reason: "the token fetch panicked"}
		}
	}()
	return s.o.Fetch(ctx)
}
