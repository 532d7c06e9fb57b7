package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/telemetry"
	"gongdan-bridge/schemas"
)

// base is what both programs begin with.
type base struct {
	cfg  *config.Config
	tel  *telemetry.Telemetry
	log  *slog.Logger
	undo cleanups

	pictures http.RoundTripper
}

// begin starts logging, tracing and metrics, and teaches the redactor every
// secret of the configuration.
func (r Run) begin(ctx context.Context, service, instance string) (*base, error) {
	cfg := r.Config
	tel, err := telemetry.Start(ctx, telemetry.Options{
		Service: service, Namespace: cfg.Telemetry.ServiceNamespace, Version: Version(), Instance: instance,
		LogLevel: cfg.Telemetry.LogLevel, LogFormat: cfg.Telemetry.LogFormat, Log: r.Log, Env: r.Env,
		Secrets: cfg.Secrets(), Spans: r.Spans,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	if r.Alone {
		tel.Install()
	}
	b := &base{cfg: cfg, tel: tel, log: tel.Logger, pictures: r.Pictures}
	b.undo.add("telemetry", func(ctx context.Context) error {
		tel.Shutdown(ctx)
		return nil
	})
	return b, nil
}

// end undoes everything within the bound and joins what went wrong.
func (b *base) end(err error, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return errors.Join(err, b.undo.run(ctx))
}

// busOptions are how to reach the configured server, or the embedded one.
func busOptions(cfg *config.Config, name string) (bus.Options, error) {
	n := cfg.NATS
	o := bus.Options{
		URL: n.URL, Name: name, Token: n.Token.Reveal(), CredentialsFile: n.CredentialsFile, Replicas: n.Replicas,
		Limits: limits(n),
	}
	if n.IsEmbedded() {
		o.URL = fmt.Sprintf("nats://127.0.0.1:%d", n.Embedded.Port)
		o.TokenFile = n.Embedded.TokenFile
		return o, nil
	}
	var err error
	o.TLS, err = clientTLS(n.TLS)
	return o, err
}

func clientTLS(t config.TLS) (*tls.Config, error) {
	if t.CAFile == "" && t.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS settings is a valid answer
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("nats.tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("nats.tls.ca_file: %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("nats.tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// connect opens the bus to a server that takes messages of that payload, in bytes, and
// makes sure that every stream and bucket is there. Their limits are kept by one
// program, or two with different files would take turns.
func (b *base) connect(ctx context.Context, name string, payload int64, keepsLimits bool) (*bus.Bus, error) {
	o, err := busOptions(b.cfg, name)
	if err != nil {
		return nil, err
	}
	o.KeepLimits, o.Payload = !keepsLimits, payload
	o.Logger, o.TracerProvider = b.log, b.tel.TracerProvider
	dial, cancel := context.WithTimeout(ctx, b.cfg.NATS.ConnectTimeout)
	defer cancel()
	conn, err := bus.Connect(dial, o)
	if err != nil {
		return nil, err
	}
	b.undo.add("bus", conn.Close)
	return conn, conn.Provision(dial)
}

func eventCodec() (*events.Codec, error) {
	set, err := schemas.Load()
	if err != nil {
		return nil, err
	}
	return events.NewCodec(set), nil
}

// load reads the configuration for a command.
func load(p Program, g *globals) (*config.Config, error) { return config.Load(g.Config, p.Env) }

// withBus gives a subcommand a connection of its own.
func withBus(ctx context.Context, p Program, g *globals, use func(*config.Config, *bus.Bus) error) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	o, err := busOptions(cfg, "gongdan-bridge command")
	if err != nil {
		return err
	}
	dial, cancel := context.WithTimeout(ctx, cfg.NATS.ConnectTimeout)
	defer cancel()
	conn, err := bus.Connect(dial, o)
	if err != nil {
		return fmt.Errorf("%w; is the bridge running?", err)
	}
	err = use(cfg, conn)
	shut, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	return errors.Join(err, conn.Close(shut))
}

func withBox(ctx context.Context, p Program, g *globals, use func(*deadletter.Box) error) error {
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		return use(deadletter.NewBox(b, time.Now))
	})
}

func limits(n config.NATS) bus.Limits {
	s, b := n.Streams, n.Buckets
	return bus.Limits{DuplicateWindow: s.DuplicateWindow, Of: map[string]bus.Limit{
		"CALLBACKS": {MaxBytes: int64(s.Callbacks.MaxBytes), MaxAge: s.Callbacks.MaxAge},
		"EVENTS":    {MaxBytes: int64(s.Events.MaxBytes), MaxAge: s.Events.MaxAge},
		"DEAD":      {MaxBytes: int64(s.Dead.MaxBytes)},
		"AUDIT":     {MaxBytes: int64(s.Audit.MaxBytes), MaxAge: s.Audit.MaxAge},
		"STATE":     {MaxBytes: int64(b.State)},
		"TOKENS":    {MaxBytes: int64(b.Tokens)},
		"TABLES":    {MaxBytes: int64(b.Tables)},
		"CURSORS":   {MaxBytes: int64(b.Cursors)},
		"JOBS":      {MaxBytes: int64(b.Jobs)},
	}}
}
