package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"

	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/telemetry"
)

// Run is one run of a program.
type Run struct {
	Config *config.Config
	Env    func(string) (string, bool)
	Log    io.Writer
	Spans  trace.SpanExporter // gets every span beside OTLP; may be nil
	Ready  func(Addresses)    // called once, when everything is up; may be nil

	// Alone says that no other program runs in this process: its telemetry becomes
	// the process's own, and what cannot be exported becomes a line of its log.
	Alone bool

	// NATS starts the server that nats.embedded describes; nil in a program that
	// links none.
	NATS StartNATS

	// Pictures is asked for pictures in place of the network, for a sandbox that
	// simulates their hosts; nil in the programs, and no setting reaches it.
	Pictures http.RoundTripper
}

// Addresses are where a running program listens.
type Addresses struct{ Listen, Admin string }

// Ingest runs the callback endpoint, and the embedded NATS server where no
// other is configured, until ctx ends or one of them fails for good.
func (r Run) Ingest(ctx context.Context) error {
	cfg := r.Config
	b, err := r.begin(ctx, "gongdan-ingest", cfg.Ingest.Name())
	if err != nil {
		return err
	}
	return b.end(r.ingest(ctx, b), cfg.Ingest.StopWithin)
}

func (r Run) ingest(ctx context.Context, b *base) error {
	cfg := b.cfg
	failed := make(chan error, 4)
	if cfg.NATS.IsEmbedded() {
		if err := r.embed(ctx, b); err != nil {
			return err
		}
	}
	conn, err := b.connect(ctx, "gongdan-ingest", callbackPayload(cfg), true)
	if err != nil {
		return err
	}
	sync := b.probeSync(ctx, conn)
	space, err := ingest.NewSpace(conn.Usage, b.log, b.tel.MeterProvider)
	if err != nil {
		return err
	}
	b.watch(ctx, "space", func(ctx context.Context) { space.Watch(ctx, spaceBeat) })
	again, err := ingest.NewProvisioner(conn.Mend, b.log, b.tel.MeterProvider)
	if err != nil {
		return err
	}
	b.watch(ctx, "provisioner", func(ctx context.Context) { again.Watch(ctx, spaceBeat) })
	end, err := endpoint(b, conn, space)
	if err != nil {
		return err
	}
	b.watch(ctx, "refusals", func(ctx context.Context) { end.Watch(ctx, cfg.Ingest.RefusalInterval) })
	admin, err := b.admin(ctx, cfg.Ingest.Admin, failed,
		telemetry.Check{Name: "nats", Ready: conn.Ready}, sync, telemetry.Check{Name: "store", Ready: space.Ready})
	if err != nil {
		return err
	}
	pub, err := listen(ctx, "callbacks", cfg.Ingest.Listen, publicServer(cfg.Ingest), end.Guard, b.log)
	if err != nil {
		return err
	}
	b.undo.add("callbacks", pub.stop)
	go forward(ctx, pub.err, failed)
	if r.Ready != nil {
		r.Ready(Addresses{Listen: pub.addr, Admin: admin.addr})
	}
	select {
	case <-ctx.Done():
		b.log.InfoContext(ctx, "stopping")
		return nil
	case err := <-failed:
		return err
	}
}

func forward(ctx context.Context, from <-chan error, to chan<- error) {
	select {
	case err := <-from:
		if err != nil {
			to <- err
		}
	case <-ctx.Done():
	}
}

// StartNATS starts an embedded NATS server and returns when it takes connections.
// The context bounds the start only. Package embedded has the one that programs use.
type StartNATS func(context.Context, config.Embedded, *slog.Logger) (NATSServer, error)

// NATSServer is a NATS server that runs within a program.
type NATSServer interface {
	Token() string                  // what clients must present
	Err() <-chan error              // each fault as it is found, nil when the server is back; closed by Stop
	Stop(ctx context.Context) error // may be called twice
}

// embed starts the NATS server. A fault of its disk does not end the program:
// the server starts again by itself when there is space, and until then
// callbacks are answered 503.
func (r Run) embed(ctx context.Context, b *base) error {
	if r.NATS == nil {
		return errors.New("this program has no embedded NATS server: set nats.url")
	}
	srv, err := r.NATS(ctx, b.cfg.NATS.Embedded, b.log)
	if err != nil {
		return err
	}
	b.undo.add("embedded NATS server", srv.Stop)
	b.tel.Redactor.Add(srv.Token())
	go func() {
		for err := range srv.Err() {
			if err == nil {
				b.log.Info("embedded NATS server is back")
				continue
			}
			b.log.Error("embedded NATS server stopped", slog.String("cause", err.Error()))
		}
	}()
	return nil
}

// spaceBeat is how often ingest reads how full CALLBACKS is, and whether all streams and
// buckets exist.
const spaceBeat = 2 * time.Second

// watch runs a goroutine until ctx ends or the program stops.
func (b *base) watch(ctx context.Context, name string, run func(context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	b.undo.add(name, func(context.Context) error {
		stop()
		<-done
		return nil
	})
}

func endpoint(b *base, conn *bus.Bus, space *ingest.Space) (*ingest.Endpoint, error) {
	codec, err := eventCodec()
	if err != nil {
		return nil, err
	}
	c := b.cfg.Ingest
	o := ingest.Options{
		Bus: conn, Events: codec, MaxBody: int64(c.MaxBody), MaxInFlight: c.MaxInFlight, ReadTimeout: c.ReadTimeout,
		PublishTimeout: c.PublishTimeout, RetryAfter: c.RetryAfter, MaxSkew: c.MaxClockSkew, MaxFuture: c.MaxFuture,
		MaxConnections: c.MaxConnections, MaxReading: int64(c.MaxReading), Descriptors: ingest.Descriptors(),
		Refuse: space.Refuse,
		Logger: b.log, Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	}
	for _, t := range b.cfg.Tenants {
		kc, err := vendors.CallbackCodec(t)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		o.Tenants = append(o.Tenants, ingest.Tenant{Name: t.Name, CorpID: t.Weiban.CorpID, Codec: kc})
	}
	return ingest.New(o)
}

func publicServer(c config.Ingest) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: c.ReadHeaderTimeout, ReadTimeout: c.ReadTimeout + time.Second,
		WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout, MaxHeaderBytes: 16 << 10,
	}
}
