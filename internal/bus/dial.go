package bus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"

	"gongdan-bridge/internal/tokenfile"
)

const (
	dialWait      = 2 * time.Second        // for one attempt
	reconnectWait = 250 * time.Millisecond // between attempts once connected
	pingEvery     = 10 * time.Second       // a dead peer is noticed after two
	faultMemory   = time.Minute            // how long Ready reports a fault
)

// dial tries until it succeeds, is refused for good, or ctx ends.
func dial(ctx context.Context, o Options, events []nats.Option) (*nats.Conn, error) {
	if err := checkURL(o.URL); err != nil {
		return nil, err
	}
	opts := append(events, connection(o)...)
	var last error
	try := func() (*nats.Conn, error) {
		nc, err := attempt(ctx, o, opts)
		if err == nil {
			return nc, nil
		}
		if refused(err) {
			return nil, backoff.Permanent(err)
		}
		if last == nil {
			o.Logger.Warn("NATS does not answer yet", "server", safeURL(o.URL), "error", err)
		}
		last = err
		return nil, err
	}
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(dialWait),
		backoff.WithMaxElapsedTime(0))
	nc, err := backoff.RetryWithData(try, backoff.WithContext(wait, ctx))
	switch {
	case err == nil:
		return nc, nil
	case ctx.Err() != nil && last != nil:
		return nil, fmt.Errorf("%w: %w (%w)", ErrUnreachable, last, context.Cause(ctx))
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, context.Cause(ctx))
	default:
		return nil, err
	}
}

// attempt makes one connection. The client library knows no context, so an
// attempt that outlives ctx is left to end by itself.
func attempt(ctx context.Context, o Options, opts []nats.Option) (*nats.Conn, error) {
	if o.TokenFile != "" {
		if _, err := tokenfile.Read(o.TokenFile); err != nil {
			return nil, err
		}
	}
	if o.CredentialsFile != "" {
		if _, err := os.Stat(o.CredentialsFile); err != nil {
			return nil, fmt.Errorf("credentials file: %w", err)
		}
	}
	type outcome struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		nc, err := nats.Connect(o.URL, opts...)
		done <- outcome{nc, err}
	}()
	select {
	case r := <-done:
		return r.nc, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// connection translates Options for the client library.
func connection(o Options) []nats.Option {
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(dialWait),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, 4*reconnectWait),
		nats.PingInterval(pingEvery),
		// No message is buffered while the server is away: the publisher must
		// know at once.
		nats.ReconnectBufSize(-1),
		// A rotated credential must not end the connection for good.
		nats.IgnoreAuthErrorAbort(),
	}
	switch {
	case o.TokenFile != "":
		opts = append(opts, nats.TokenHandler(func() string {
			// An unreadable file yields an empty token, which the server refuses.
			token, _ := tokenfile.Read(o.TokenFile)
			return token
		}))
	case o.Token != "":
		opts = append(opts, nats.Token(o.Token))
	}
	if o.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredentialsFile))
	}
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS))
	}
	return opts
}

// refused reports whether err is one that another try does not mend.
func refused(err error) bool {
	for _, e := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrTokenAlreadySet, nats.ErrNoUserCB,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// checkURL refuses what the client library would refuse with an error that
// repeats the URL, password and all.
func checkURL(list string) error {
	for u := range strings.SplitSeq(list, ",") {
		u = strings.TrimSpace(u)
		if !strings.Contains(u, "://") {
			u = "nats://" + u
		}
		p, err := url.Parse(u)
		if err != nil || p.Hostname() == "" {
			return errors.New("not a URL of the form nats://host:port")
		}
	}
	return nil
}

// safeURL is the list without users, passwords, paths and queries. It cuts the text
// itself, so that a URL that does not parse is safe too.
func safeURL(list string) string {
	var out []string
	for u := range strings.SplitSeq(list, ",") {
		u = strings.TrimSpace(u)
		scheme, rest, ok := strings.Cut(u, "://")
		if !ok || strings.Contains(scheme, "@") {
			scheme, rest = "nats", u
		}
		rest = rest[strings.LastIndex(rest, "@")+1:]
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			rest = rest[:i]
		}
		out = append(out, scheme+"://"+rest)
	}
	return strings.Join(out, ",")
}
