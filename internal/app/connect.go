package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
)

// busOptions say how to reach the configured server, or the embedded one.
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

// connect opens the bus to a server that takes messages of payload bytes, and makes
// every stream and bucket that is missing. One program alone keeps their limits: two
// with different configurations would overwrite each other's.
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

// Connect opens a connection for a command: nothing is provisioned.
func Connect(ctx context.Context, cfg *config.Config, name string) (*bus.Bus, error) {
	o, err := busOptions(cfg, name)
	if err != nil {
		return nil, err
	}
	dial, cancel := context.WithTimeout(ctx, cfg.NATS.ConnectTimeout)
	defer cancel()
	return bus.Connect(dial, o)
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
	}}
}
