// Package bus is everything that the bridge says to NATS JetStream: it provisions
// the streams and buckets, publishes, consumes, reads back, keeps the fenced
// records, and carries operators' requests. It is a client: the embedded server is
// package natsd.
//
// It knows no event, no vendor and no order: a message is a subject, an id,
// headers and bytes. It never buffers what the server has not confirmed, never
// retries a publish whose outcome it does not know, and never lists a stream's
// subjects to find work. Ingest, dispatch, deadletter and app call it; nothing
// else in the bridge speaks NATS.
package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// These bound every wait for an answer, whatever the context allows: an answer that
// is lost with its connection never comes.
const (
	requestWait = 5 * time.Second  // for a question
	publishWait = 15 * time.Second // for the confirmation of a write, behind a slow disk
)

// Options say which server to use and how.
type Options struct {
	URL  string // one or several, comma separated: nats://host:port
	Name string // of this connection, as operators of the server see it

	Token           string // the server's token
	TokenFile       string // a file that holds it, read at every connect; see package tokenfile
	CredentialsFile string // a NATS credentials file (.creds)
	TLS             *tls.Config

	// Payload is the largest message that will be sent, in bytes, headers included. A
	// server that takes less is refused; 0 refuses none.
	Payload int64

	Replicas int    // of every stream and bucket; 0 means 1
	Limits   Limits // of streams and buckets, where the defaults do not fit
	// KeepLimits leaves the limits of existing streams and buckets as they are. They
	// belong to another program: two programs that differ would change them in turn.
	KeepLimits bool

	Logger         *slog.Logger         // nil: nothing is logged
	TracerProvider trace.TracerProvider // nil: the global one
}

// Bus is one connection to JetStream. All methods may be called concurrently.
type Bus struct {
	o        Options // to connect once more
	nc       *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
	tracer   trace.Tracer
	replicas int
	limits   Limits
	keep     bool // see Options.KeepLimits
	routes   routes
	faults   *faults
	session  *session
	closed   chan struct{}
}

// Connect connects, and tries again until ctx ends. Then the connection is kept up
// until Close; while it is lost every request fails at once with [ErrUnreachable].
// Connect does not try again after a refused token or credential, nor with a server
// that does not fit: [ErrServerTooOld], [ErrNoJetStream], [ErrPayloadTooSmall]. The
// error names the server without its credentials.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	b := &Bus{
		o:        o,
		log:      o.Logger,
		tracer:   o.TracerProvider.Tracer(tracerName),
		replicas: max(o.Replicas, 1),
		limits:   o.Limits,
		keep:     o.KeepLimits,
		routes:   newRoutes(Streams()),
		faults:   newFaults(faultMemory),
		session:  newSession(),
		closed:   make(chan struct{}),
	}
	nc, err := dial(ctx, o, b.events())
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", safeURL(o.URL), err)
	}
	b.nc = nc
	if b.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestWait)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect %s: %w", safeURL(o.URL), err)
	}
	if err := b.usable(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect %s: %w", safeURL(o.URL), err)
	}
	return b, nil
}

// Close ends the connection once all sent messages have left. Stop consumers before.
// It may be called twice.
func (b *Bus) Close(ctx context.Context) error {
	if err := b.nc.Drain(); err != nil {
		b.nc.Close()
	}
	select {
	case <-b.closed:
		return nil
	case <-ctx.Done():
		b.nc.Close()
		return fmt.Errorf("close connection to NATS: %w", context.Cause(ctx))
	}
}

// Ready returns nil when the server is connected, answers for JetStream, and has
// reported no fault in the last minute. A refused permission shows nowhere else: the
// refused call only times out.
func (b *Bus) Ready(ctx context.Context) error {
	if s := b.nc.Status(); s != nats.CONNECTED {
		return fmt.Errorf("%w: connection to NATS is %s%s", ErrUnreachable, strings.ToLower(s.String()), b.session.loss())
	}
	if err := b.fits(); err != nil { // the connection may lead to another server by now
		return err
	}
	if err := b.faults.current(time.Now()); err != nil {
		return fmt.Errorf("NATS reports: %w", err)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if _, err := b.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("JetStream: %w", classify(err))
	}
	return nil
}

// events are the connection's callbacks: they log, and keep faults for Ready.
func (b *Bus) events() []nats.Option {
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if b.faults.add(err, time.Now()) {
				b.log.Error("NATS reports a fault", "error", err)
			}
		}),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			b.session.end(err)
			if nc.IsClosed() || nc.IsDraining() {
				return
			}
			b.log.Warn("connection to NATS lost, connecting again", "error", err)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.log.Info("connection to NATS is back", "server", nc.ConnectedAddr())
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
	}
}

// bounded is ctx for one request.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, requestWait)
}

// exchange runs one request. It ends after wait at the latest, and at once when the
// connection is lost: no answer comes over the next connection.
func (b *Bus) exchange(ctx context.Context, wait time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	defer context.AfterFunc(b.session.context(), func() { lose(nats.ErrDisconnected) })()
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), nats.ErrDisconnected) {
		return fmt.Errorf("%w: %w", ErrUnreachable, nats.ErrDisconnected)
	}
	return err
}
