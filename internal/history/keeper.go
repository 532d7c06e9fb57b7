package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
)

// Log reads the streams.
type Log interface {
	Identity(ctx context.Context, name string) (bus.Identity, error)
	Mend(ctx context.Context) (missing []string, err error)
	Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error)
	Last(ctx context.Context, stream, subject string) (bus.Stored, error)
}

// State is the bucket STATE; its writes compare revisions.
type State interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Load(ctx context.Context, prefix string, each func(bus.Entry) error) error
	Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error)
}

// Tables is the bucket TABLES, which holds the anchor of STATE.
type Tables interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Put(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
}

// Options of a [Keeper].
type Options struct {
	Log    Log
	State  State
	Tables Tables

	Silence time.Duration // without a write to STATE for longer no dispatcher worked: the life of a lease
	Alert   func(Note)    // is called once for each note
	Logger  *slog.Logger
}

// Keeper keeps the store's record. Every replica has one; they agree by writes that
// compare. All methods may be called concurrently.
type Keeper struct {
	o Options

	busy  chan struct{} // the lock of a check; a mutex could not be waited for under a context
	known *Record       // at the last read or write; nil before the first
	saved anchor        // at the last write
}

// NewKeeper returns the keeper of a store.
func NewKeeper(o Options) *Keeper { return &Keeper{o: o, busy: make(chan struct{}, 1)} }

// KeeperOf returns a keeper for a command: it alerts no one. silence is the life of a lease.
func KeeperOf(b *bus.Bus, silence time.Duration) *Keeper {
	return NewKeeper(Options{
		Log: b, State: b.Bucket(bus.State), Tables: b.Bucket(bus.Tables), Silence: silence, Alert: func(Note) {},
	})
}

// lock waits for the lock and returns the function that releases it.
func (k *Keeper) lock(ctx context.Context) (func(), error) {
	select {
	case k.busy <- struct{}{}:
		return func() { <-k.busy }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Begin is the first check of a process, before it writes anything to STATE. It also notes
// if no dispatcher worked for longer than a lease.
func (k *Keeper) Begin(ctx context.Context) (Record, error) { return k.check(ctx, begin) }

// Examine compares the store with its record, begins a new history if they do not fit, and
// provisions what is missing. It is called before a tenant is taken, and after a message
// was found missing.
func (k *Keeper) Examine(ctx context.Context) (Record, error) { return k.check(ctx, examine) }

// Glance is Examine for regular intervals: it reads no message of a stream whose newest
// message is unchanged by the stream's own account.
func (k *Keeper) Glance(ctx context.Context) (Record, error) { return k.check(ctx, glance) }

// depth says how much a check reads and notes.
type depth int

const (
	glance depth = iota
	examine
	begin
)

// conflictTries bounds the tries of a write that other replicas precede.
const conflictTries = 5

func (k *Keeper) check(ctx context.Context, depth depth) (Record, error) {
	unlock, err := k.lock(ctx)
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	return k.checkLocked(ctx, depth)
}

// checkLocked is called under the lock.
func (k *Keeper) checkLocked(ctx context.Context, depth depth) (r Record, err error) {
	for range conflictTries {
		if r, err = k.checkOnce(ctx, depth); err == nil {
			return r, nil
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
			break
		}
	}
	return Record{}, fmt.Errorf("check the store: %w", err)
}

func (k *Keeper) checkOnce(ctx context.Context, depth depth) (Record, error) {
	f, err := k.find(ctx, k.provisioned)
	if err != nil {
		return Record{}, err
	}
	next, changed, err := k.decide(ctx, f, depth)
	if err != nil {
		return Record{}, err
	}
	if changed {
		if err := k.write(ctx, next, f.revision); err != nil {
			return Record{}, err
		}
	}
	if err := k.anchor(ctx, anchor{f.ids[bus.State].Life, f.ids[bus.State].Last}); err != nil {
		return Record{}, err
	}
	k.tell(next)
	k.known = &next
	return next, nil
}

// newName returns a name for a history.
func newName() string { return strings.ToLower(rand.Text()[:10]) }

// found is the input of a check.
type found struct {
	have     *Record // nil: there is no record
	revision uint64
	evidence
	ids map[string]bus.Identity // of all streams and buckets
}

// find reads the input of a check; identity returns the identity of a stream or bucket.
func (k *Keeper) find(ctx context.Context, identity func(context.Context, string) (bus.Identity, error)) (f found, err error) {
	// The record is read before the streams that it describes: other replicas write.
	if f.have, f.revision, err = k.read(ctx); err != nil && !errors.Is(err, bus.ErrUnprovisioned) {
		return f, err
	}
	if f.evidence, err = k.readEvidence(ctx); err != nil {
		return f, err
	}
	f.ids = map[string]bus.Identity{}
	for _, name := range append([]string{bus.State}, kept...) {
		if f.ids[name], err = identity(ctx, name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// provisioned returns the identity of a stream or bucket, and creates a missing one first.
func (k *Keeper) provisioned(ctx context.Context, name string) (bus.Identity, error) {
	id, err := k.o.Log.Identity(ctx, name)
	if err == nil && id.Missing {
		if _, err = k.o.Log.Mend(ctx); err == nil {
			id, err = k.o.Log.Identity(ctx, name)
		}
	}
	if err == nil && id.Missing {
		err = fmt.Errorf("%s: %w", name, bus.ErrUnprovisioned)
	}
	return id, err
}

// decide returns the next record, and whether it differs from the present one.
func (k *Keeper) decide(ctx context.Context, f found, depth depth) (Record, bool, error) {
	next, ids := Record{}, f.ids
	if f.have != nil {
		next = *f.have
	} else if k.known != nil {
		next = *k.known // STATE was lost while we ran: the streams are unchanged
	}
	next.Seen = maps.Clone(next.Seen)
	if next.Seen == nil {
		next.Seen = map[string]Sighting{}
	}
	lost, err := k.stateLost(ctx, f)
	if err != nil {
		return next, false, err
	}
	notes, restart := []Note(nil), lost != ""
	at := ids[bus.State].Now.UTC()
	if lost != "" {
		notes = append(notes, Note{
			At: at, Store: bus.State, What: lost,
			Act: remedies[bus.State],
		})
	}
	changed := f.have == nil || lost != ""
	misfits := map[string]bool{}
	for _, name := range kept {
		seen := next.Seen[name]
		what, err := judge(ctx, k.o.Log, name, seen, ids[name], next.Trimmed[name], depth == glance)
		if err != nil {
			return next, false, err
		}
		if what != "" {
			notes = append(notes, Note{At: at, Store: name, What: what, Act: remedies[name], From: seen.missingSince(ids[name]), Until: at})
			restart, misfits[name] = restart || restarts(name), true
			seen = Sighting{} // its newest message is read again
			next.Trimmed = maps.Clone(next.Trimmed)
			delete(next.Trimmed, name) // these sequences belong to other messages now
		}
		s, err := sight(ctx, k.o.Log, name, seen, ids[name])
		if err != nil {
			return next, false, err
		}
		changed = changed || s != next.Seen[name]
		next.Seen[name] = s
	}
	now := Moment{at, ids[bus.Callbacks].Last, ids[bus.Events].Last}
	if restart {
		next.History, next.Began = newName(), at
		// Without the audit the closed letters are unknown.
		next.Letters = (next.Letters || misfits[bus.Dead]) && !misfits[bus.Audit]
		if lost != "" {
			next.Lost = now
		}
	}
	if n, silent := k.silence(f.have, ids, at); depth == begin && silent {
		notes = append(notes, n)
		next.Stale, changed = now, true
	}
	next.note(notes)
	return next, changed, nil
}

// silence returns the note of a stop. An older copy of the whole store would look like one.
func (k *Keeper) silence(have *Record, ids map[string]bus.Identity, at time.Time) (Note, bool) {
	state := ids[bus.State]
	if have == nil || state.Last == 0 || at.Sub(state.LastTime) <= k.o.Silence {
		return Note{}, false
	}
	return Note{
		At: at, What: "was not worked on", Mild: true, From: state.LastTime.UTC(), Until: at,
		Act: "what was stored before is looked for in Kingdee before it is called, since an older copy of the store would look the same; " +
			"if it is one, Weiban alone can tell what came in between",
	}, true
}

// tell alerts of the notes that are new since the last check.
func (k *Keeper) tell(r Record) {
	var before []Note
	if k.known != nil {
		before = k.known.Notes
	}
	for _, n := range r.Notes {
		if !contains(before, n) && (k.known != nil || time.Since(n.At) < time.Minute) {
			k.o.Alert(n)
		}
	}
}

func contains(list []Note, n Note) bool {
	for _, x := range list {
		if x.At.Equal(n.At) && x.Store == n.Store {
			return true
		}
	}
	return false
}
