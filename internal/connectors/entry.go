package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"gongdan-bridge/internal/events"
)

// entry is what the vault holds of a credential: its value, who is fetching the
// next one, and the fetches of the last minute.
type entry struct {
	Value   json.RawMessage `json:"value,omitempty"`
	Fetched time.Time       `json:"fetched,omitzero"`
	Expires time.Time       `json:"expires,omitzero"`
	Holder  string          `json:"holder,omitempty"` // of the lease
	Until   time.Time       `json:"until,omitzero"`   // its end
	Spent   []time.Time     `json:"spent,omitempty"`  // no fetch was made later than these
}

// leasedTo is true while somebody else is fetching. A lease of our own is one
// that we could not give back.
func (e *entry) leasedTo(me string, now time.Time) bool {
	return e.Holder != "" && e.Holder != me && now.Before(e.Until)
}

// lease marks a fetch as begun. Until it is over it is not known when its call
// reached the vendor, so it is counted at the latest possible time.
func (e *entry) lease(me string, until time.Time) {
	e.Holder, e.Until = me, until
	e.Spent = append(e.Spent, until)
}

func (e *entry) release(now time.Time) {
	e.Holder, e.Until = "", time.Time{}
	e.Spent[len(e.Spent)-1] = now
}

// forgive ends a lease whose call did not reach the vendor: nothing was spent.
func (e *entry) forgive() {
	e.Holder, e.Until = "", time.Time{}
	e.Spent = e.Spent[:len(e.Spent)-1]
}

// spentFor is how long until a further fetch stays within perMinute.
func (e *entry) spentFor(perMinute int, now time.Time) time.Duration {
	horizon := now.Add(-time.Minute)
	e.Spent = slices.DeleteFunc(e.Spent, func(t time.Time) bool { return !t.After(horizon) })
	slices.SortFunc(e.Spent, time.Time.Compare)
	if len(e.Spent) < perMinute {
		return 0
	}
	return e.Spent[len(e.Spent)-perMinute].Sub(horizon)
}

func (e *entry) put(value any, fetched, expires time.Time) error {
	b, err := json.Marshal(value)
	if err != nil {
		return &events.Failure{Kind: events.Internal, Reason: "the credential cannot be kept as JSON"}
	}
	e.Value, e.Fetched, e.Expires = b, fetched, expires
	return nil
}

// usable is the vault's credential, if it will do.
func (s *Shared[T]) usable(e entry, w want[T], now time.Time) *held[T] {
	if len(e.Value) == 0 {
		return nil
	}
	h := &held[T]{fetched: e.Fetched, expires: e.Expires}
	if err := json.Unmarshal(e.Value, &h.value); err != nil {
		return nil // written by another version; a new one replaces it
	}
	switch {
	case !h.good(now), w.fresh && h.due(now, s.o.Early), w.not != nil && s.o.Equal(h.value, *w.not):
		return nil
	}
	return h
}

// load reads the entry. What cannot be opened (the key was changed) is as good as
// empty, and is replaced.
func (s *Shared[T]) load(ctx context.Context) (entry, uint64, error) {
	var e entry
	b, revision, err := s.o.Vault.Load(ctx, s.o.Name)
	switch {
	case errors.Is(err, ErrNoEntry):
		return e, 0, nil
	case errors.Is(err, ErrSealed):
		return e, revision, nil
	case err != nil:
		return e, 0, vaultDown(err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		e = entry{}
	}
	return e, revision, nil
}

// save is ErrRace, or vaultDown.
func (s *Shared[T]) save(ctx context.Context, e entry, revision uint64) (uint64, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return 0, &events.Failure{Kind: events.Internal, Reason: "the vault's entry cannot be written as JSON"}
	}
	revision, err = s.o.Vault.Save(ctx, s.o.Name, b, revision)
	if err == nil || errors.Is(err, ErrRace) {
		return revision, err
	}
	return 0, vaultDown(err)
}

func vaultDown(err error) error {
	return &events.Failure{Kind: events.Unavailable, Reason: "the token vault cannot be reached", Err: Scrub(err)}
}
