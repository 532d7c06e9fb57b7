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

// Log is what is read of the streams.
type Log interface {
	Identity(ctx context.Context, name string) (bus.Identity, error)
	Mend(ctx context.Context) (missing []string, err error)
	Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error)
	Last(ctx context.Context, stream, subject string) (bus.Stored, error)
}

// State is bucket STATE; its writes compare.
type State interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Load(ctx context.Context, prefix string, each func(bus.Entry) error) error
	Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error)
}

// Tables is bucket TABLES, where STATE is known from outside.
type Tables interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Put(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
}

// Options of a [Keeper].
type Options struct {
	Log    Log
	State  State
	Tables Tables

	Silence time.Duration // longer without a write to STATE, and nobody was at work: the lease's life
	Alert   func(Note)    // told once of each note that is not mild
	Logger  *slog.Logger
}

// Keeper keeps the store's record. Every replica has one; they agree by writes that
// compare. All methods may be called concurrently.
type Keeper struct {
	o Options

	turn  chan struct{} // held during a look; a mutex would not let go at a context's end
	known *Record       // as last read or written; nil: none yet
	saved anchor
}

// NewKeeper returns the keeper of a store.
func NewKeeper(o Options) *Keeper { return &Keeper{o: o, turn: make(chan struct{}, 1)} }

// KeeperOf returns a keeper for a command: it tells nobody what it finds. silence is the
// life of a lease.
func KeeperOf(b *bus.Bus, silence time.Duration) *Keeper {
	return NewKeeper(Options{
		Log: b, State: b.Bucket(bus.State), Tables: b.Bucket(bus.Tables), Silence: silence, Alert: func(Note) {},
	})
}

// take waits for the turn and returns what gives it back.
func (k *Keeper) take(ctx context.Context) (func(), error) {
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Begin is the first look of a process, before it writes anything to STATE: it also
// tells whether nobody was at work for longer than a lease.
func (k *Keeper) Begin(ctx context.Context) (Record, error) { return k.look(ctx, begin) }

// Examine holds the store against its record, begins a new history where they do not
// fit, and provisions what is missing. It is called before a tenant is taken, and where
// something is missed.
func (k *Keeper) Examine(ctx context.Context) (Record, error) { return k.look(ctx, examine) }

// Glance is Examine at intervals: where a stream says that nothing has come since, none
// of its messages is read.
func (k *Keeper) Glance(ctx context.Context) (Record, error) { return k.look(ctx, glance) }

// sort is how a look is meant.
type sort int

const (
	glance sort = iota
	examine
	begin
)

// lookTries is how often another replica may be first.
const lookTries = 5

func (k *Keeper) look(ctx context.Context, how sort) (Record, error) {
	leave, err := k.take(ctx)
	if err != nil {
		return Record{}, err
	}
	defer leave()
	return k.lookNow(ctx, how)
}

// lookNow is called in turn.
func (k *Keeper) lookNow(ctx context.Context, how sort) (r Record, err error) {
	for range lookTries {
		if r, err = k.lookOnce(ctx, how); err == nil {
			return r, nil
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
			break
		}
	}
	return Record{}, fmt.Errorf("look at the store: %w", err)
}

func (k *Keeper) lookOnce(ctx context.Context, how sort) (Record, error) {
	f, err := k.find(ctx, k.made)
	if err != nil {
		return Record{}, err
	}
	next, changed, err := k.decide(ctx, f, how)
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

// newName names a history.
func newName() string { return strings.ToLower(rand.Text()[:10]) }

// found is what a look finds.
type found struct {
	have     *Record // nil: none is on record
	revision uint64
	evidence
	ids map[string]bus.Identity // of all streams and buckets
}

// find reads everything; identity gives what is to be known of a stream or bucket.
func (k *Keeper) find(ctx context.Context, identity func(context.Context, string) (bus.Identity, error)) (f found, err error) {
	// What is on record is read before what it is held against: others are at work.
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

// made is the identity of a stream or bucket, which is made first where it is missing.
func (k *Keeper) made(ctx context.Context, name string) (bus.Identity, error) {
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

// decide is what the record is to be.
func (k *Keeper) decide(ctx context.Context, f found, how sort) (Record, bool, error) {
	next, ids := Record{}, f.ids
	if f.have != nil {
		next = *f.have
	} else if k.known != nil {
		next = *k.known // STATE went under our hands: the streams are as they were
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
		what, err := judge(ctx, k.o.Log, name, seen, ids[name], next.Trimmed[name], how == glance)
		if err != nil {
			return next, false, err
		}
		if what != "" {
			notes = append(notes, Note{At: at, Store: name, What: what, Act: remedies[name], From: seen.missingSince(ids[name]), Until: at})
			restart, misfits[name] = restart || restarts(name), true
			seen = Sighting{} // it is read anew, whatever the stream says of it
			next.Trimmed = maps.Clone(next.Trimmed)
			delete(next.Trimmed, name) // these sequences are other messages'
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
		// Without the audit nobody knows which letters were closed.
		next.Letters = (next.Letters || misfits[bus.Dead]) && !misfits[bus.Audit]
		if lost != "" {
			next.Lost = now
		}
	}
	if n, silent := k.silence(f.have, ids, at); how == begin && silent {
		notes = append(notes, n)
		next.Stale, changed = now, true
	}
	next.note(notes)
	return next, changed, nil
}

// silence tells of a stop that an older copy of the whole store would look like.
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

// tell passes on the notes that are new since the last look.
func (k *Keeper) tell(r Record) {
	var before []Note
	if k.known != nil {
		before = k.known.Notes
	}
	for _, n := range r.Notes {
		if !told(before, n) && (k.known != nil || time.Since(n.At) < time.Minute) {
			k.o.Alert(n)
		}
	}
}

func told(list []Note, n Note) bool {
	for _, x := range list {
		if x.At.Equal(n.At) && x.Store == n.Store {
			return true
		}
	}
	return false
}
