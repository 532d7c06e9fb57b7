//go:build unix

package harness

import (
	"context"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/otel/sdk/trace"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/app/embedded"
	"gongdan-bridge/internal/config"
)

// Inside is a program whose main work runs in this process, as in the sandbox:
// for what a test must reach into, be it spans or settings that no file may hold.
type Inside struct {
	Admin string // URL of the admin listener

	stop func() error
}

// InsideOptions are what a file cannot say.
type InsideOptions struct {
	Change func(*config.Config) // may be nil
	Spans  trace.SpanExporter   // may be nil
}

// Inside runs app.Run.Ingest, or app.Run.Dispatcher, and returns once it is up. Its
// log is the file log/<name>.log. [Inside.Stop] ends it.
func (i *Installation) Inside(name string, program func(app.Run, context.Context) error, o InsideOptions) (*Inside, error) {
	cfg, err := config.Load(i.Config(), os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	if o.Change != nil {
		o.Change(cfg)
	}
	log, err := os.OpenFile(i.Path("log/"+name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan app.Addresses, 1), make(chan error, 1)
	go func() {
		defer func() { _ = log.Close() }()
		done <- program(app.Run{
			Config: cfg, Env: os.LookupEnv, Log: log, Spans: o.Spans, NATS: embedded.NATS, Ready: func(a app.Addresses) { up <- a },
		}, ctx)
	}()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	select {
	case a := <-up:
		return &Inside{Admin: "http://" + a.Admin, stop: stop}, nil
	case err := <-done:
		cancel()
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
}

// Stop ends the program softly and waits. It may be called twice.
func (p *Inside) Stop() error { return p.stop() }
