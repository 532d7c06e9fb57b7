package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/config"
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
}

// begin starts logging, tracing and metrics, and teaches the redactor every
// secret of the configuration.
func (r Run) begin(ctx context.Context, service, instance string) (*base, error) {
	cfg := r.Config
	tel, err := telemetry.Start(ctx, telemetry.Options{
		Service: service, Namespace: cfg.Telemetry.ServiceNamespace, Version: Version(), Instance: instance,
		LogLevel: cfg.Telemetry.LogLevel, LogFormat: cfg.Telemetry.LogFormat, Log: r.Log, Env: r.Env,
		Secrets: cfg.Secrets(), Spans: r.Spans, Tenants: len(cfg.Tenants),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	if r.Alone {
		tel.Install()
	}
	b := &base{cfg: cfg, tel: tel, log: tel.Logger}
	for _, w := range cfg.Warnings() {
		b.log.WarnContext(ctx, "configuration: "+w.String())
	}
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

func eventCodec() (*events.Codec, error) {
	set, err := schemas.Load()
	if err != nil {
		return nil, err
	}
	return events.NewCodec(set), nil
}
