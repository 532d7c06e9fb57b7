package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sync says whether a server has a message on disk before it confirms it.
type Sync int

// The findings of [Bus.ProbeSync].
const (
	SyncUnknown Sync = iota // undecided
	Synced                  // sync_interval: always, or a disk as slow as if it were
	Unsynced                // a power cut loses confirmed messages
)

const (
	probeRounds = 60                     // publishes to each of the two streams
	probeSize   = 512                    // bytes of a publish
	probeWait   = 3 * time.Second        // for the whole probe
	probeOld    = time.Minute            // a stream of a probe that died is removed after that
	askWait     = 250 * time.Millisecond // for the answers of all servers to one question

	// A file stream that is this much slower than a memory stream of the same server
	// syncs; one that is as quick, by ratio and by difference, does not. Measured on an
	// idle and on an overloaded machine, 16 probes each: 3.6 to 166 with
	// sync_interval: always, 1.0 to 1.24 without. Medians were 3.0 to 137, and 0.8 to
	// 1.35, once 1.9 between other tests.
	syncsFrom   = 3.0
	syncsNot    = 1.5
	fsyncAtBest = 50 * time.Microsecond

	probeKey     = "probe"     // in bucket TOKENS
	probeLife    = time.Minute // of that key
	probePrefix  = "GONGDAN_PROBE_"
	probeSubject = "gongdan-probe"
)

// ProbeSync finds out whether the server syncs each message: it asks, which only a
// user with the system account's services may, and else compares how long the
// server takes for a message in a file and for one in memory. It takes about 60
// writes to disk. how says by what it was told, or why it was not. The bus must be
// provisioned.
//
// The messages in a file are those of one key of bucket [Tokens], which expires. A
// stream of the probe's own would cost the server's health: killed before the new
// stream's directory is whole, a server that stands alone calls that stream
// unrecoverable for ever. A server of a cluster knows its streams by the cluster's
// log, and its bucket has copies elsewhere; there the probe makes a stream.
//
// It speaks over connections of its own, since a permission that is refused is an
// error of the whole connection. In a cluster each server has its own setting:
// where they may be asked, one that does not sync decides; by timing only the
// server that is connected is judged, and only if it holds both streams.
func (b *Bus) ProbeSync(ctx context.Context) (s Sync, how string) {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	if s, how := b.askSync(ctx); s != SyncUnknown {
		return s, how
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	refused := func(_ *nats.Conn, _ *nats.Subscription, err error) { stop(err) }
	nc, err := attempt(ctx, b.o, append(connection(b.o), nats.ErrorHandler(refused), nats.NoReconnect()))
	if err != nil {
		return SyncUnknown, "no connection for the probe: " + err.Error()
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(probeWait))
	if err != nil {
		return SyncUnknown, err.Error()
	}
	file, memory, err := timeSync(ctx, nc, js)
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return SyncUnknown, context.Cause(ctx).Error() // a refused permission, or no time left
	case err != nil:
		return SyncUnknown, err.Error()
	}
	s, how = judgeSync(file, memory)
	sweepProbes(ctx, js, probeOld)
	return s, how
}

// judgeSync decides by the quickest message in a file and in memory.
func judgeSync(file, memory time.Duration) (Sync, string) {
	ratio := float64(file) / float64(max(memory, time.Microsecond))
	how := fmt.Sprintf("the quickest message takes %v in a file and %v in memory", file.Round(time.Microsecond), memory.Round(time.Microsecond))
	switch {
	case ratio > syncsFrom:
		return Synced, how
	case ratio < syncsNot && file-memory < fsyncAtBest:
		return Unsynced, how
	}
	return SyncUnknown, how
}

// askSync asks every server for its JetStream settings. Servers answer only a user with the
// system account's services.
func (b *Bus) askSync(ctx context.Context) (Sync, string) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	refused := func(*nats.Conn, *nats.Subscription, error) { cancel() }
	nc, err := attempt(ctx, b.o, append(connection(b.o), nats.ErrorHandler(refused), nats.NoReconnect()))
	if err != nil {
		return SyncUnknown, ""
	}
	defer nc.Close()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return SyncUnknown, ""
	}
	if err := nc.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, []byte(`{"config":true}`)); err != nil {
		return SyncUnknown, ""
	}
	all, found := SyncUnknown, ""
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil || status(m) == statusNoResponders {
			return all, found
		}
		var a struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
			Data struct {
				Disabled bool `json:"disabled"`
				Config   *struct {
					SyncAlways bool `json:"sync_always"`
				} `json:"config"`
			} `json:"data"`
		}
		if json.Unmarshal(m.Data, &a) != nil || a.Data.Disabled || a.Data.Config == nil {
			continue
		}
		if !a.Data.Config.SyncAlways {
			return Unsynced, "server " + a.Server.Name + " says that it does not"
		}
		all, found = Synced, "the servers say so"
	}
}

// timeSync measures messages in a file and in memory alternately, so that other load on the
// machine slows both. It returns the quickest of each: a synced message is never quicker
// than the disk, while load can make a median arbitrary.
func timeSync(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) (file, memory time.Duration, err error) {
	bucket, err := js.Stream(ctx, bucketStream(Tokens))
	if err != nil {
		return 0, 0, fmt.Errorf("no bucket for the probe: %w", err)
	}
	p := probe{nc: nc, js: js, id: rand.Text()}
	inMemory, undo, err := p.stream(ctx, jetstream.MemoryStorage)
	defer undo()
	if err != nil {
		return 0, 0, err
	}
	inFile := bucketSubject(Tokens, probeKey)
	if c := bucket.CachedInfo().Cluster; c != nil && c.Name != "" {
		var undo func()
		inFile, undo, err = p.stream(ctx, jetstream.FileStorage)
		defer undo()
		if err != nil {
			return 0, 0, err
		}
	}
	var took [2][]time.Duration
	body := make([]byte, probeSize)
	for range probeRounds {
		for i, subject := range []string{inFile, inMemory} {
			began := time.Now()
			if _, err := js.Publish(ctx, subject, body, jetstream.WithMsgTTL(probeLife)); err != nil {
				return 0, 0, fmt.Errorf("publish for the probe: %w", err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	return slices.Min(took[0]), slices.Min(took[1]), nil
}

// probe makes the streams of one probe.
type probe struct {
	nc *nats.Conn
	js jetstream.JetStream
	id string
}

// stream creates a stream with that storage on the connected server, and returns its
// subject. undo removes it.
func (p probe) stream(ctx context.Context, storage jetstream.StorageType) (subject string, undo func(), err error) {
	name := fmt.Sprintf("%s%s_%s", probePrefix, p.id, storage)
	subject = fmt.Sprintf("%s.%s.%s", probeSubject, p.id, storage)
	s, err := p.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Storage: storage, Replicas: 1, MaxBytes: mib, MaxMsgsPerSubject: -1, AllowMsgTTL: true,
	})
	if err != nil {
		return "", func() {}, fmt.Errorf("no stream for the probe: %w", err)
	}
	undo = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeWait)
		defer cancel()
		_ = p.js.DeleteStream(ctx, name) // the next probe removes what stays
	}
	if c := s.CachedInfo().Cluster; c != nil && c.Leader != "" && c.Leader != p.nc.ConnectedServerName() {
		return "", undo, fmt.Errorf("the cluster put the probe's stream on another server than %s", p.nc.ConnectedServerName())
	}
	return subject, undo, nil
}

// sweepProbes removes the streams of probes that were killed, once they have that age.
func sweepProbes(ctx context.Context, js jetstream.JetStream, age time.Duration) {
	list := js.ListStreams(ctx, jetstream.WithStreamListSubject(probeSubject+".>"))
	for i := range list.Info() {
		if strings.HasPrefix(i.Config.Name, probePrefix) && time.Since(i.Created) >= age {
			_ = js.DeleteStream(ctx, i.Config.Name)
		}
	}
}
