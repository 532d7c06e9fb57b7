package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The reasons of failures. An error of this package with one of these reasons wraps
// both the reason and its cause.
var (
	// ErrFull: the server has no room: the stream is at its limit, the account
	// or the disk is full. Nothing was stored.
	ErrFull = errors.New("no room in JetStream")
	// ErrUnreachable: no answer came: disconnected, no responders, JetStream not
	// running, or out of time. After a timeout the message may have been stored; its
	// id makes it safe to send it again.
	ErrUnreachable = errors.New("JetStream is not reachable")
	// ErrTooLarge: the message is larger than the server takes. Never stored.
	ErrTooLarge = errors.New("message is too large for JetStream")
	// ErrUnprovisioned: the stream or bucket is not there; see [Bus.Provision].
	ErrUnprovisioned = errors.New("stream is not provisioned")
	// ErrNotFound: no such message, key or consumer.
	ErrNotFound = errors.New("not found")
	// ErrExists: the key to create exists.
	ErrExists = errors.New("key exists")
	// ErrConflict: another writer changed the key.
	ErrConflict = errors.New("key was changed")
	// ErrFenced: the fence's key has another revision: the claim is lost.
	ErrFenced = errors.New("claim is lost")
	// ErrNoResponders: no program serves the subject.
	ErrNoResponders = errors.New("no program serves this subject")
	// ErrConsumerGone: the consumer was deleted on the server.
	ErrConsumerGone = errors.New("consumer is gone")
	// ErrStalled: the server has stopped answering this consumer's pulls.
	ErrStalled = errors.New("consumer makes no progress")
)

// The server's error codes that are told apart here.
const (
	codeAccountLimit     jetstream.ErrorCode = 10002
	codeNotLeader        jetstream.ErrorCode = 10009
	codeNotAvailable     jetstream.ErrorCode = 10008
	codeInsufficient     jetstream.ErrorCode = 10023
	codeMemoryExceeded   jetstream.ErrorCode = 10028
	codeStorageExceeded  jetstream.ErrorCode = 10047
	codeTooLarge         jetstream.ErrorCode = 10054
	codeDeleteFailed     jetstream.ErrorCode = 10057
	codeStoreFailed      jetstream.ErrorCode = 10077
	codeHeaderTooLarge   jetstream.ErrorCode = 10097
	codeSequenceNotFound jetstream.ErrorCode = 10043
	codeStreamOffline    jetstream.ErrorCode = 10118
	codeStreamMaxBytes   jetstream.ErrorCode = 10122
	codeExpectedNotReady jetstream.ErrorCode = 10163
	codeOfflineReason    jetstream.ErrorCode = 10194
)

// classify adds the reason to err. A cancelled context stays what it is.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	for _, c := range []struct {
		reason error
		is     func(error) bool
	}{
		{ErrFull, full},
		{ErrTooLarge, tooLarge},
		{ErrUnprovisioned, unprovisioned},
		{ErrNotFound, missing},
		{ErrUnreachable, unreachable},
	} {
		if errors.Is(err, c.reason) {
			return err
		}
		if c.is(err) {
			return fmt.Errorf("%w: %w", c.reason, err)
		}
	}
	return err
}

// code is the server's error code, 0 if err is not the server's.
func code(err error) jetstream.ErrorCode {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode
	}
	return 0
}

func full(err error) bool {
	switch code(err) {
	case codeAccountLimit, codeInsufficient, codeMemoryExceeded, codeStorageExceeded, codeStreamMaxBytes:
		return true
	case codeStoreFailed:
		// One code for every store failure; the limits say "maximum … exceeded".
		return strings.Contains(err.Error(), "maximum") || strings.Contains(err.Error(), "no space")
	}
	return false
}

func tooLarge(err error) bool {
	c := code(err)
	return c == codeTooLarge || c == codeHeaderTooLarge || errors.Is(err, nats.ErrMaxPayload)
}

func unprovisioned(err error) bool { return code(err) == jetstream.JSErrCodeStreamNotFound }

func missing(err error) bool {
	switch code(err) {
	case jetstream.JSErrCodeMessageNotFound, codeSequenceNotFound, jetstream.JSErrCodeConsumerNotFound, jetstream.JSErrCodeConsumerDoesNotExist:
		return true
	case codeDeleteFailed: // with EOF: the store has not reached this sequence
		return strings.HasSuffix(err.Error(), "EOF")
	}
	return false
}

func unreachable(err error) bool {
	switch code(err) {
	case codeNotLeader, codeNotAvailable, codeStreamOffline, codeOfflineReason, codeExpectedNotReady,
		jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		return true
	}
	for _, e := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse,
		nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting, nats.ErrDisconnected, nats.ErrStaleConnection,
		nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrNoServers, jetstream.ErrConnectionClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
