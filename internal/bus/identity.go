package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lifeKey is the member of a stream's metadata that holds its life: a random text that
// is set when the stream is created and never changes. It is not part of the wanted
// configuration: a stream that is removed and created again must get another life.
const lifeKey = "gongdan.life"

// Identity tells one history of a stream or bucket from another. No field is enough by
// itself: a restored copy keeps life and creation time, and a stream that lost its
// newest messages and was written again has the expected sequences.
type Identity struct {
	Missing  bool      // there is no such stream or bucket
	Life     string    // set at creation; a restore over the API and a copied directory keep it
	Created  time.Time // a restore over the API changes it
	First    uint64    // sequence of the first message, one behind Last where there is none
	Last     uint64    // sequence of the newest message; 0 if it never had one
	LastTime time.Time // when the newest message was stored
	Deleted  int       // messages that are missing between the first and the last
	MaxAge   time.Duration
	Now      time.Time // the server's clock at the answer
}

// Identity asks the server for the identity of a stream or bucket. One that does not
// exist is no error: its identity is Missing.
func (b *Bus) Identity(ctx context.Context, name string) (Identity, error) {
	i, err := b.streamInfo(ctx, storedAs(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Identity{Missing: true, Now: time.Now()}, nil
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identity of %s: %w", name, classify(err))
	}
	id := Identity{
		Life: i.Config.Metadata[lifeKey], Created: i.Created, First: i.State.FirstSeq, Last: i.State.LastSeq,
		LastTime: i.State.LastTime, Deleted: i.State.NumDeleted, MaxAge: i.Config.MaxAge, Now: i.TimeStamp,
	}
	if id.Life == "" { // created by a version of the bridge that set none
		id.Life = "created " + strconv.FormatInt(i.Created.UnixNano(), 36)
	}
	if id.Now.IsZero() {
		id.Now = time.Now()
	}
	return id, nil
}

// storedAs is the name of the stream behind a stream or bucket of the bridge.
func storedAs(name string) string {
	for _, p := range Buckets() {
		if p.Name == name {
			return bucketStream(name)
		}
	}
	return name
}

// Mend creates the streams and buckets that are missing, and returns their names.
func (b *Bus) Mend(ctx context.Context) (missing []string, err error) {
	wanted, err := configs(b.limits, b.replicas)
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	for _, want := range wanted {
		_, err := b.streamInfo(ctx, want.Name)
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // it exists, or the server does not answer: that is no loss
		}
		if err := (provisioner{b}).provision(ctx, want); err != nil {
			return missing, fmt.Errorf("provision %s again: %w", want.Name, err)
		}
		missing = append(missing, want.Name)
	}
	return missing, nil
}
