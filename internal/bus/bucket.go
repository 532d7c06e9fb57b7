package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a key-value bucket that any NATS client can read. A key consists of tokens
// separated by dots; a token holds letters, digits and -_=/ only.
type Bucket struct {
	bus  *Bus
	name string
}

// Bucket returns a bucket by its name; it must be provisioned.
func (b *Bus) Bucket(name string) *Bucket { return &Bucket{bus: b, name: name} }

// Entry is one key's value.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64    // of this value; revisions grow over the whole bucket
	Time     time.Time // when it was written
	Deleted  bool      // the key is gone; only [Bucket.Watch] shows this
}

// Fence is a claim. A write under it fails with [ErrFenced] unless the fence's key, in
// the same bucket, still has this revision.
//
// The server takes one expectation a message: a write compares either a fence or the
// revision of its own key ([Bucket.Update]), never both. Under a fence the owner of the
// claim is the only writer, and orders its own writes.
type Fence struct {
	Key      string
	Revision uint64
}

// Option changes how a value is written.
type Option func(nats.Header)

// Expire lets the server delete the value after that time (whole seconds, at least one).
// It holds for this write only: a value written without Expire stays for ever.
func Expire(after time.Duration) Option {
	return func(h nats.Header) {
		h.Set(jetstream.MsgTTLHeader, max(after.Round(time.Second), time.Second).String())
	}
}

// expect makes the server compare the last revision of a key.
func (k *Bucket) expect(key string, revision uint64) Option {
	return func(h nats.Header) {
		h.Set(jetstream.ExpectedLastSubjSeqSubjHeader, bucketSubject(k.name, key))
		h.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	}
}

// purge makes the write a deletion. Its marker expires after markerLife.
func purge() Option {
	return func(h nats.Header) {
		h.Set(headOperation, operationPurge)
		h.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		h.Set(jetstream.MsgTTLHeader, markerLife.String())
	}
}

const (
	headOperation  = "KV-Operation"
	headMarker     = "Nats-Marker-Reason"
	operationPurge = "PURGE"
)

func bucketStream(name string) string       { return "KV_" + name }
func bucketSubject(name, key string) string { return "$KV." + name + "." + key }

// Get reads a key; [ErrNotFound] if it has no value. With several replicas it asks the
// leader.
func (k *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := k.latest(ctx, key)
	if err == nil && e.Deleted {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, k.failed("get", key, err)
	}
	return e, nil
}

// Put writes a key unconditionally and returns the new revision.
func (k *Bucket) Put(ctx context.Context, key string, value []byte, opts ...Option) (uint64, error) {
	rev, err := k.write(ctx, key, value, nil, opts...)
	return rev, k.failed("put", key, err)
}

// Create writes a key that has no value; [ErrExists] if it has one.
func (k *Bucket) Create(ctx context.Context, key string, value []byte, opts ...Option) (uint64, error) {
	rev, err := k.write(ctx, key, value, ErrExists, append(slices.Clip(opts), k.expect(key, 0))...)
	if errors.Is(err, ErrExists) {
		// A deleted key leaves a marker, which has a revision of its own.
		if e, lerr := k.latest(ctx, key); lerr == nil && e.Deleted {
			rev, err = k.write(ctx, key, value, ErrExists, append(slices.Clip(opts), k.expect(key, e.Revision))...)
		}
	}
	return rev, k.failed("create", key, err)
}

// Update writes a key if it still has the revision; else [ErrConflict].
func (k *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64, opts ...Option) (uint64, error) {
	rev, err := k.write(ctx, key, value, ErrConflict, append(slices.Clip(opts), k.expect(key, revision))...)
	return rev, k.failed("update", key, err)
}

// PutFenced writes a key under a claim; [ErrFenced] if the claim is lost.
func (k *Bucket) PutFenced(ctx context.Context, key string, value []byte, f Fence, opts ...Option) (uint64, error) {
	rev, err := k.write(ctx, key, value, ErrFenced, append(slices.Clip(opts), k.expect(f.Key, f.Revision))...)
	return rev, k.failed("put", key, err)
}

// Delete removes a key, whether it has a value or not.
func (k *Bucket) Delete(ctx context.Context, key string) error {
	_, err := k.write(ctx, key, nil, nil, purge())
	return k.failed("delete", key, err)
}

// DeleteRevision removes a key if it still has the revision; else [ErrConflict].
func (k *Bucket) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	_, err := k.write(ctx, key, nil, ErrConflict, purge(), k.expect(key, revision))
	return k.failed("delete", key, err)
}

// DeleteFenced removes a key under a claim; [ErrFenced] if the claim is lost.
func (k *Bucket) DeleteFenced(ctx context.Context, key string, f Fence) error {
	_, err := k.write(ctx, key, nil, ErrFenced, purge(), k.expect(f.Key, f.Revision))
	return k.failed("delete", key, err)
}

// write sends one write. refused is the error for an expectation that fails. With several
// replicas the server also refuses a write while another one with the same expectation
// is in progress; that decides nothing, and is tried again until ctx ends.
func (k *Bucket) write(ctx context.Context, key string, value []byte, refused error, opts ...Option) (uint64, error) {
	if !validKey(key) {
		return 0, errors.New("not a key: only letters, digits and -_=/ between dots")
	}
	m := &nats.Msg{Subject: bucketSubject(k.name, key), Data: value, Header: nats.Header{}}
	for _, opt := range opts {
		opt(m.Header)
	}
	var rev uint64
	err := k.bus.exchange(ctx, publishWait, func(ctx context.Context) (err error) {
		rev, err = k.send(ctx, m, refused)
		return err
	})
	return rev, err
}

func (k *Bucket) send(ctx context.Context, m *nats.Msg, refused error) (uint64, error) {
	var last error
	try := func() (uint64, error) {
		ack, err := k.bus.js.PublishMsg(ctx, m, jetstream.WithExpectStream(bucketStream(k.name)))
		switch {
		case err == nil:
			return ack.Sequence, nil
		case code(err) == jetstream.JSErrCodeStreamWrongLastSequenceConstant, code(err) == codeExpectedNotReady:
			last = classify(err)
			return 0, last
		case code(err) == jetstream.JSErrCodeStreamWrongLastSequence && refused != nil:
			return 0, backoff.Permanent(fmt.Errorf("%w: %w", refused, err))
		default:
			return 0, backoff.Permanent(classify(err))
		}
	}
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(2*time.Millisecond),
		backoff.WithMaxInterval(100*time.Millisecond),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0))
	rev, err := backoff.RetryWithData(try, backoff.WithContext(wait, ctx))
	if err != nil && last != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w: %w", ErrUnreachable, last, err)
	}
	return rev, err
}

// latest returns the newest message of the key, which may be a deletion marker.
func (k *Bucket) latest(ctx context.Context, key string) (Entry, error) {
	if !validKey(key) {
		return Entry{}, errors.New("not a key: only letters, digits and -_=/ between dots")
	}
	s, err := k.bus.one(ctx, bucketStream(k.name), get{Last: bucketSubject(k.name, key)})
	if err != nil {
		return Entry{}, err
	}
	return k.entry(s), nil
}

func (k *Bucket) entry(s Stored) Entry {
	return Entry{
		Key:      strings.TrimPrefix(s.Subject, bucketSubject(k.name, "")),
		Value:    s.Data,
		Revision: s.Sequence,
		Time:     s.Time,
		Deleted:  s.Header.Get(headOperation) != "" || s.Header.Get(headMarker) != "",
	}
}

func (k *Bucket) failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s/%s: %w", what, k.name, key, err)
}

func validKey(key string) bool {
	for token := range strings.SplitSeq(key, ".") {
		if token == "" {
			return false
		}
		for i := range len(token) {
			if c := token[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_=/", rune(c)) {
				return false
			}
		}
	}
	return true
}
