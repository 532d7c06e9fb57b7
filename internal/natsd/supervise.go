package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// spaceNeeded is the number of bytes that must be writable before a server whose
	// disk was full starts again.
	spaceNeeded = 4 << 20
	// bootWait bounds one attempt to start again.
	bootWait = 2 * time.Minute
	// stableAfter is the uptime after which the next fault is retried from RetryMin.
	stableAfter = time.Minute
)

// supervise checks the server at intervals and at every error in its log, and starts it
// again after a failure of its disk.
func (s *Server) supervise() {
	defer close(s.done)
	defer close(s.errs)
	defer s.down()
	tick := time.NewTicker(s.o.HealthEvery)
	defer tick.Stop()
	wait := s.o.RetryMin
	up := time.Now()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		case <-s.log.alarm:
		}
		err := s.check()
		if err == nil {
			continue
		}
		if time.Since(up) > stableAfter {
			wait = s.o.RetryMin
		}
		if !s.comeBack(err, &wait) {
			return
		}
		up = time.Now()
	}
}

// check returns why the running server cannot store messages, nil if it can.
func (s *Server) check() error {
	if err := s.log.failure(); err != nil {
		return err
	}
	s.mu.Lock()
	ns := s.nats
	s.mu.Unlock()
	for _, e := range ns.Healthz(&server.HealthzOptions{Details: true}).Errors {
		// A stream that could not write keeps its error and answers no request:
		// only a new start mends it.
		if e.Type == server.HealthzErrorJetStream || e.Type == server.HealthzErrorStream && strings.Contains(e.Error, "write error") {
			return errors.New(e.Error)
		}
	}
	return nil
}

// comeBack stops the server, so that publishers get an error at once and the bad disk is
// left alone, and starts it again when the disk has space. It returns false if Stop was
// called.
func (s *Server) comeBack(cause error, wait *time.Duration) bool {
	s.report(fmt.Errorf("embedded NATS server: stopped: %w", cause))
	s.halt()
	last := ""
	for {
		select {
		case <-s.quit:
			return false
		case <-time.After(*wait):
		}
		*wait = min(2**wait, s.o.RetryMax)
		err := s.retry()
		if err == nil {
			s.o.Logger.Info("embedded NATS server is back", "url", s.URL())
			s.tell(nil)
			return true
		}
		if err.Error() != last {
			last = err.Error()
			s.report(fmt.Errorf("embedded NATS server: cannot come back yet: %w", err))
		}
	}
}

func (s *Server) retry() error {
	if err := writable(s.o.Dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootWait)
	defer cancel()
	go func() {
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.boot(ctx)
}

// report makes err the fault that Ready and Err tell.
func (s *Server) report(err error) {
	s.o.Logger.Error("embedded NATS server has a fault", "error", err)
	s.mu.Lock()
	s.fault = err
	s.mu.Unlock()
	s.tell(err)
}

func (s *Server) tell(err error) {
	select {
	case s.errs <- err:
	default: // the buffer is full
	}
}

// halt stops the server and keeps the directory.
func (s *Server) halt() {
	s.mu.Lock()
	ns := s.nats
	s.nats = nil
	s.mu.Unlock()
	if ns != nil {
		shutDown(ns)
	}
}

// down ends the server for good.
func (s *Server) down() {
	s.halt()
	s.mu.Lock()
	s.fault = errors.New("embedded NATS server: stopped")
	s.mu.Unlock()
	if err := s.release(); err != nil {
		s.o.Logger.Warn("store not unlocked", "dir", s.o.Dir, "error", err)
	}
}

// writable tries to write as many bytes as a starting server needs.
func writable(dir string) (err error) {
	path := filepath.Join(dir, "space")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(path))
	}()
	_, err = f.Write(make([]byte, spaceNeeded))
	return errors.Join(err, f.Sync(), f.Close())
}

// recovered returns an error if the server could not read a part of its directory. A
// stream that it could not read would else be created again, and be empty.
func recovered(ns *server.Server) error {
	var errs []error
	for _, e := range ns.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if e.Type != server.HealthzErrorConn {
			errs = append(errs, errors.New(e.Error))
		}
	}
	return errors.Join(errs...)
}

// serverLog takes the server's log. A fatal error ends no process here: serverLog keeps it
// for boot and check.
type serverLog struct {
	log   *slog.Logger
	alarm chan struct{} // an error was logged

	mu   sync.Mutex
	err  error
	dead chan struct{} // closed by the first fatal error
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, alarm: make(chan struct{}, 1), dead: make(chan struct{})}
}

// reset forgets the fatal error of the server before.
func (l *serverLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.dead = nil, make(chan struct{})
}

func (l *serverLog) fatal() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *serverLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *serverLog) wake() {
	select {
	case l.alarm <- struct{}{}:
	default:
	}
}

// The server writes fifteen lines of notices when it starts and stops: debug.

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l *serverLog) Tracef(string, ...any)         {} // would hold messages
func (l *serverLog) Warnf(format string, v ...any) { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
	l.wake()
}

func (l *serverLog) Fatalf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	l.log.Error("nats: " + msg)
	l.mu.Lock()
	if l.err == nil {
		l.err = errors.New(msg)
		close(l.dead)
	}
	l.mu.Unlock()
	l.wake()
}
