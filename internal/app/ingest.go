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

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/telemetry"
)

// Run is one run of a program's main work.
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
// other is configured, until ctx ends or a part of it fails for good.
func (r Run) Ingest(ctx context.Context) error {
	cfg := r.Config
	b, err := r.begin(ctx, "gongdan-ingest", "")
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
	room, err := ingest.NewRoom(conn.Usage, b.log, b.tel.MeterProvider)
	if err != nil {
		return err
	}
	b.watch(ctx, "room", func(ctx context.Context) { room.Watch(ctx, roomBeat) })
	again, err := ingest.NewProvisioner(conn.Mend, b.log, b.tel.MeterProvider)
	if err != nil {
		return err
	}
	b.watch(ctx, "provisioner", func(ctx context.Context) { again.Watch(ctx, roomBeat) })
	end, err := endpoint(b, conn, room)
	if err != nil {
		return err
	}
	admin, err := b.admin(ctx, cfg.Ingest.Admin, failed,
		telemetry.Check{Name: "nats", Ready: conn.Ready}, sync, telemetry.Check{Name: "store", Ready: room.Ready})
	if err != nil {
		return err
	}
	pub, err := listen(ctx, "callbacks", cfg.Ingest.Listen, publicServer(cfg.Ingest, end), b.log)
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
// the server comes back by itself when there is room again, and until then
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

// roomBeat is how often ingest looks how full CALLBACKS is, and whether all streams and
// buckets are there.
const roomBeat = 2 * time.Second

// watch runs something beside the program until ctx ends, or the program does.
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

func endpoint(b *base, conn *bus.Bus, room *ingest.Room) (*ingest.Endpoint, error) {
	codec, err := eventCodec()
	if err != nil {
		return nil, err
	}
	c := b.cfg.Ingest
	o := ingest.Options{
		Bus: conn, Events: codec, MaxBody: int64(c.MaxBody), MaxInFlight: c.MaxInFlight, ReadTimeout: c.ReadTimeout,
		PublishTimeout: c.PublishTimeout, RetryAfter: c.RetryAfter, MaxSkew: c.MaxClockSkew, MaxFuture: c.MaxFuture,
		Refuse: room.Refuse,
		Logger: b.log, Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	}
	for _, t := range b.cfg.Tenants {
		keys := make([]weiban.Key, len(t.Weiban.Callbacks))
		for i, k := range t.Weiban.Callbacks {
			keys[i] = weiban.Key{Token: k.Token.Reveal(), EncodingAESKey: k.EncodingAESKey.Reveal()}
		}
		kc, err := weiban.NewCodec(keys, t.Weiban.Receivers)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		o.Tenants = append(o.Tenants, ingest.Tenant{Name: t.Name, CorpID: t.Weiban.CorpID, Codec: kc})
	}
	return ingest.New(o)
}

func publicServer(c config.Ingest, h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: c.ReadHeaderTimeout, ReadTimeout: c.ReadTimeout + time.Second,
		WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout, MaxHeaderBytes: 16 << 10,
	}
}

// ingestCLI is the command line of ingest.
type ingestCLI struct {
	globals
	Run     ingestRunCmd `cmd:"" default:"1" help:"Take callbacks until stopped (the default)."`
	Conf    configCmd    `cmd:"" name:"config" help:"Check or print the configuration."`
	Version versionCmd   `cmd:"" help:"Print the version."`
}

type ingestRunCmd struct{}

func (ingestRunCmd) Run(ctx context.Context, p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	err = Run{Config: cfg, Env: p.Env, Log: p.Stderr, NATS: p.NATS, Alone: true}.Ingest(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

const ingestHelp = `Takes Weiban's callbacks, verifies and decrypts them, and stores each as a CloudEvent in NATS JetStream before it ` +
	`answers. With no nats.url in the configuration it also runs an embedded NATS server.`

// IngestMain is the program ingest.
func IngestMain(ctx context.Context, p Program) error {
	var cli ingestCLI
	return p.run(ctx, "ingest", ingestHelp, &cli, &cli.globals)
}
