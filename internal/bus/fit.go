package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MinServerVersion is the oldest NATS server that the bridge works with. Up to
// 2.11.6 a server overlooks the header Nats-Expected-Last-Subject-Sequence where
// Nats-Expected-Last-Subject-Sequence-Subject stands before it, and confirms the
// write: of 400 writes under a lost claim 2.10.29, 2.11.0 and 2.11.6 took 350, and
// 2.11.8, 2.11.17, 2.12.1, 2.14.0 and 2.15.2 none. 2.10 has no message TTL and
// no batched reads either.
const MinServerVersion = "2.11.8"

// Why a server does not fit. Another try does not mend it.
var (
	// ErrServerTooOld: the server is older than [MinServerVersion].
	ErrServerTooOld = errors.New("the NATS server is too old")
	// ErrNoJetStream: JetStream is off on the server or for the bridge's account.
	ErrNoJetStream = errors.New("JetStream is off")
	// ErrPayloadTooSmall: the server takes no message as large as [Options].Payload.
	ErrPayloadTooSmall = errors.New("max_payload of the NATS server is too small")
)

// fits returns why the connected server does not fit, nil if it does. It sends no
// request: the server tells version and payload when it connects.
func (b *Bus) fits() error {
	v := b.nc.ConnectedServerVersion()
	if older(v, MinServerVersion) {
		return fmt.Errorf("%w: it is version %s, and the bridge needs %s or later: upgrade the server", ErrServerTooOld, v, MinServerVersion)
	}
	if have := b.nc.MaxPayload(); have < b.o.Payload {
		return fmt.Errorf("%w: it takes %d bytes, and a message may have %d: set max_payload: 8MB in the server's configuration, "+
			"or lower ingest.max_body and dispatcher.calls.max_answer", ErrPayloadTooSmall, have, b.o.Payload)
	}
	return nil
}

// usable is fits, and checks that JetStream is on for the account. It passes over
// conditions that end by themselves, such as a cluster without a leader.
func (b *Bus) usable(ctx context.Context) error {
	if err := b.fits(); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	switch _, err := b.js.AccountInfo(ctx); {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w for the account of the bridge's user: enable it there (jetstream: enabled), or use a user of another account: %w", ErrNoJetStream, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w on the NATS server: add a jetstream block to its configuration: %w", ErrNoJetStream, err)
	}
	return nil
}

// older compares versions by major, minor and patch. A version that does not parse is
// not older.
func older(have, want string) bool {
	var h, w [3]int
	if n, _ := fmt.Sscanf(have, "%d.%d.%d", &h[0], &h[1], &h[2]); n < 3 {
		return false
	}
	if n, _ := fmt.Sscanf(want, "%d.%d.%d", &w[0], &w[1], &w[2]); n < 3 {
		return false
	}
	for i := range h {
		if h[i] != w[i] {
			return h[i] < w[i]
		}
	}
	return false
}
