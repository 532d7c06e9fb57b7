package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// listener is one HTTP server of a program.
type listener struct {
	name string
	addr string
	srv  *http.Server
	ln   net.Listener
	err  chan error
}

// listen opens addr before it returns, so that a port that is taken fails the start. guard
// bounds its connections; nil for no bound.
func listen(ctx context.Context, name, addr string, srv *http.Server, guard func(*http.Server, net.Listener) net.Listener, log *slog.Logger) (*listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen %s on %s: %w", name, addr, err)
	}
	if guard != nil {
		ln = guard(srv, ln)
	}
	l := &listener{name: name, addr: ln.Addr().String(), srv: srv, ln: ln, err: make(chan error, 1)}
	srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			l.err <- fmt.Errorf("serve %s: %w", name, err)
		}
	}()
	log.InfoContext(ctx, "listening", slog.String("server", name), slog.String("address", l.addr))
	return l, nil
}

// stop lets requests that have begun end within ctx, then closes their connections.
func (l *listener) stop(ctx context.Context) error {
	err := l.srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return l.srv.Close()
	}
	return err
}

func adminServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}
