// Package natsd is the NATS server that a program embeds: on loopback only, its
// store in one directory that no second process can open, every message on disk
// before the server confirms it. When its disk fails or is full the server stops,
// says so, and comes back by itself.
//
// It knows no stream and no client of the bridge; package bus is the client.
// Programs reach it through package app/embedded, so that a program without an
// embedded server links no server.
package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gongdan-bridge/internal/tokenfile"
)

const (
	loopback   = "127.0.0.1"
	maxPayload = 8 << 20 // an enriched event holds a whole answer of a vendor
	maxMemory  = 64 << 20
)

// Options describe the embedded server.
type Options struct {
	Dir       string // of the store; created if it is missing
	Port      int    // on loopback; 0: any free one
	TokenFile string // created with a random token if it is missing; "": "token" in Dir
	MaxStore  int64  // bytes that the store may hold
	NoSync    bool   // confirm messages before they are on disk: for experiments alone
	Logger    *slog.Logger

	HealthEvery        time.Duration // between checks of the store; 0: 5 s
	RetryMin, RetryMax time.Duration // between attempts to start again; 0: 1 s and 30 s
}

func (o Options) withDefaults() Options {
	if o.TokenFile == "" {
		o.TokenFile = filepath.Join(o.Dir, "token")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HealthEvery <= 0 {
		o.HealthEvery = 5 * time.Second
	}
	if o.RetryMin <= 0 {
		o.RetryMin = time.Second
	}
	if o.RetryMax < o.RetryMin {
		o.RetryMax = max(30*time.Second, o.RetryMin)
	}
	return o
}

// Server is a running embedded NATS server. All methods may be called concurrently.
type Server struct {
	o       Options
	token   string
	release func() error

	mu    sync.Mutex
	nats  *server.Server // nil while it is down
	port  int
	fault error // why it is down, nil if it is up

	log  *serverLog
	errs chan error
	quit chan struct{}
	done chan struct{}
	stop sync.Once
}

// Start starts the embedded server and returns when it takes connections. The error names
// what prevents it: another process on the same directory, a taken port, a store that
// cannot be read. ctx bounds the start only.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	o = o.withDefaults()
	defer func() {
		if err != nil {
			err = fmt.Errorf("embedded NATS server: %w", err)
		}
	}()
	if o.Dir == "" {
		return nil, errors.New("no directory for the store")
	}
	if o.MaxStore <= 0 {
		return nil, errors.New("no size for the store")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	release, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	token, err := tokenfile.ReadOrMake(o.TokenFile)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, token: token, release: release, port: o.Port,
		log:  newServerLog(o.Logger),
		errs: make(chan error, 16),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	if err := s.boot(ctx); err != nil {
		return nil, err
	}
	go s.supervise()
	return s, nil
}

// URL is the address for clients.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "nats://" + net.JoinHostPort(loopback, strconv.Itoa(s.port))
}

// Token is the token that clients must present.
func (s *Server) Token() string { return s.token }

// Err yields each fault of the running server when it is found, and nil when the server
// works again. A value is dropped if the channel's buffer is full. Stop closes it.
func (s *Server) Err() <-chan error { return s.errs }

// Ready is nil while the server is up and can write.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Stop shuts the server down, waits for it until ctx ends, and frees the
// directory. It may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() { close(s.quit) })
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop embedded NATS server: %w", context.Cause(ctx))
	}
}

// boot starts a server over the store.
func (s *Server) boot(ctx context.Context) error {
	if err := portFree(ctx, s.port); err != nil {
		return err
	}
	s.log.reset()
	ns, err := server.NewServer(s.settings())
	if err != nil {
		return err
	}
	ns.SetLoggerV2(s.log, false, false, false)
	started := make(chan struct{})
	go func() {
		defer close(started)
		ns.Start()
	}()
	err = s.await(ctx, ns, started)
	if err == nil {
		err = recovered(ns)
	}
	if err != nil {
		ns.Shutdown()
		<-started
		ns.WaitForShutdown()
		return err
	}
	addr, ok := ns.Addr().(*net.TCPAddr)
	if !ok {
		shutDown(ns)
		return errors.New("listens nowhere")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nats, s.port, s.fault = ns, addr.Port, nil
	return nil
}

// await waits until ns takes connections. An embedded server reports a fatal error in its
// log only.
func (s *Server) await(ctx context.Context, ns *server.Server, started <-chan struct{}) error {
	select {
	case <-started:
	case <-s.log.fatal():
		return s.log.failure()
	case <-ctx.Done():
		return fmt.Errorf("recovering the store took too long: %w", context.Cause(ctx))
	}
	for !ns.ReadyForConnections(50 * time.Millisecond) {
		select {
		case <-s.log.fatal():
			return s.log.failure()
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", context.Cause(ctx))
		default:
		}
	}
	return nil
}

func (s *Server) settings() *server.Options {
	return &server.Options{
		ServerName:             "gongdan-bridge",
		Host:                   loopback,
		Port:                   listenPort(s.port),
		Authorization:          s.token,
		JetStream:              true,
		StoreDir:               s.o.Dir,
		SyncAlways:             !s.o.NoSync,
		JetStreamMaxStore:      s.o.MaxStore,
		JetStreamMaxMemory:     maxMemory,
		MaxPayload:             maxPayload,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
	}
}

// listenPort is a port in the words of the server, for which 0 is NATS's own port.
func listenPort(port int) int {
	if port == 0 {
		return server.RANDOM_PORT
	}
	return port
}

// portFree checks the port before the server does: the server's own error comes later and
// says less.
func portFree(ctx context.Context, port int) error {
	if port == 0 {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d on %s is taken by another program: stop it, or configure another port: %w", port, loopback, err)
	}
	if err != nil {
		return fmt.Errorf("port %d on %s: %w", port, loopback, err)
	}
	return l.Close()
}

func shutDown(ns *server.Server) {
	ns.Shutdown()
	ns.WaitForShutdown()
}
