// Package sandbox is the whole bridge on one machine: a simulated Weiban and a
// simulated Kingdee, the same assembly that the two programs run, and a story
// of several work orders told as it happens.
//
// It knows no secret of the bridge's parts: it configures them by files, talks
// to the endpoint as Weiban does, and listens to the bus as any other service
// may. Command sandbox runs it.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/app/embedded"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// Options are the settings of one run.
type Options struct {
	Once   bool      // end when the story has been told
	Dir    string    // for the configuration and the store; "" is a temporary one, removed at the end
	Stdout io.Writer // the story
	Log    io.Writer // the programs' logs; nil drops them

	spans   trace.SpanExporter // gets every span of both programs; for tests
	inspect func(*world)       // called once the story has been told; for tests
}

// ErrUnexpected says that the story did not end as it must.
var ErrUnexpected = errors.New("the story did not end as expected")

// Settings that let the story show in seconds what takes minutes: many quick
// tries, and a breaker that looks again soon.
const quickSettings = `  retries: {quick_tries: 4, quick_first: 200ms, quick_max: 1s, waits: [500ms, 1s, 2s]}
  breaker: {failures: 10, open_for: 500ms}
  ownership: {renew: 300ms, expire: 1200ms}
  stop_within: 5s
`

// uploadPictures is a line of the section kingdee.
const uploadPictures = "      photos: {mode: upload, hosts: [" + fakeweiban.PictureHost + "]}\n"

// world is everything that runs.
type world struct {
	o       Options
	say     *teller
	weiban  *fakeweiban.Server
	kingdee *fakekingdee.Server
	cfgPath string
	cfg     *config.Config
	ports   ports

	apart    bool         // the programs run as processes of their own, and cannot be shown simulated pictures
	mended   int          // letters that were replayed
	repaired string       // number of the order whose letter it was
	passed   atomic.Int64 // time that has passed in the story, in nanoseconds

	ends   []func()   // end the programs, in the order in which they started
	failed chan error // a program has ended by itself
}

// Run starts everything, tells the story, and stays up until ctx ends unless
// Once is set. It returns [ErrUnexpected] where the outcome is not the right one.
func Run(ctx context.Context, o Options) (err error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	dir, remove, err := workDir(o.Dir)
	if err != nil {
		return err
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx)) // of the vendors: the programs end before them
	w := &world{o: o, say: newTeller(o.Stdout), failed: make(chan error, 2)}
	defer func() {
		err = interrupted(ctx, err)
		for _, end := range slices.Backward(w.ends) { // dispatcher first: the bus is in ingest
			end()
		}
		stop()
		err = errors.Join(err, remove())
	}()
	if err := w.simulators(alive, dir); err != nil {
		return err
	}
	if err := w.bridge(ctx); err != nil {
		return err
	}
	return w.run(ctx)
}

func (w *world) run(ctx context.Context) error {
	told := make(chan error, 1)
	go func() { told <- w.tell(ctx) }()
	select {
	case err := <-told:
		if w.o.inspect != nil {
			w.o.inspect(w)
		}
		if err != nil || w.o.Once {
			return interrupted(ctx, err)
		}
	case err := <-w.failed:
		return err
	}
	w.say.stay(w.cfgPath, w.repaired, w.ports)
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.failed:
		return err
	}
}

// interrupted is err, or nil where a person has stopped the story.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// clock is the time in the simulated Weiban: the story began six hours ago, and
// between two acts of it half an hour passes.
func (w *world) clock() time.Time {
	return time.Now().Add(time.Duration(w.passed.Load()) - 6*time.Hour)
}

// markFile tells a folder of the sandbox from every other.
const markFile = ".gongdan-sandbox"

// workDir makes the folder, or takes one that is empty or the sandbox's own: it would
// overwrite the files of another.
func workDir(dir string) (string, func() error, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "gongdan-sandbox-")
		if err != nil {
			return "", nil, fmt.Errorf("sandbox: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", nil, err
	}
	held, err := os.ReadDir(abs)
	if err != nil {
		return "", nil, err
	}
	mark := filepath.Join(abs, markFile)
	if _, err := os.Stat(mark); err != nil && len(held) > 0 {
		return "", nil, fmt.Errorf("sandbox: %s holds files that are not the sandbox's; give an empty folder, or one that does not exist", abs)
	}
	return abs, func() error { return nil }, os.WriteFile(mark, []byte("a folder of the sandbox: its files may be overwritten\n"), 0o600)
}

// simulators starts both vendors and writes the files of an installation that
// knows them.
func (w *world) simulators(ctx context.Context, dir string) (err error) {
	w.weiban, err = fakeweiban.New(fakeweiban.Options{
		Secret: weibanSecret, Observe: w.say.vendor, Clock: w.clock,
		Callback: fakeweiban.Callback{Token: callbackToken, EncodingAESKey: callbackKey},
	})
	if err != nil {
		return err
	}
	w.kingdee = fakekingdee.New(fakekingdee.Options{
		Observe: w.say.vendor, ForeignPictures: w.apart, Script: script.New(1),
	})
	if err := errors.Join(w.weiban.Start(ctx, ""), w.kingdee.Start(ctx, "")); err != nil {
		return err
	}
	if w.ports, err = freePorts(ctx); err != nil {
		return err
	}
	pictures := uploadPictures
	if w.apart {
		pictures = ""
	}
	if w.cfgPath, err = writeFiles(dir, w.ports, w.weiban, w.kingdee, quickSettings, pictures); err != nil {
		return err
	}
	w.cfg, err = config.Load(w.cfgPath, os.LookupEnv)
	return err
}

// bridge starts ingest and dispatcher, as the two programs do, and waits until
// both are up.
func (w *world) bridge(ctx context.Context) error {
	for _, program := range []struct {
		name string
		run  func(app.Run, context.Context) error
	}{{"ingest", app.Run.Ingest}, {"dispatcher", app.Run.Dispatcher}} {
		ready := make(chan struct{})
		r := app.Run{
			Config: w.cfg, Env: os.LookupEnv, Log: io.MultiWriter(w.o.Log, w.say.log()),
			Spans: w.o.spans, NATS: embedded.NATS, Pictures: w.weiban.Pictures(), Ready: func(app.Addresses) { close(ready) },
		}
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan struct{})
		w.ends = append(w.ends, func() { end(); <-ended })
		go func() {
			defer close(ended)
			if err := program.run(r, own); err != nil {
				w.failed <- fmt.Errorf("%s: %w", program.name, err)
			}
		}()
		select {
		case <-ready:
		case err := <-w.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
