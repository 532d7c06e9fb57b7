//go:build unix

package harness

import (
	"context"

	"gongdan-bridge/internal/testwing/script"
)

// ports are the loopback ports of one installation.
type ports struct {
	callbacks, ingest      int
	nats, monitors, routes []int // of each server
	dispatchers            []int
}

// freePorts finds free ports.
func freePorts(ctx context.Context, servers, dispatchers int) (ports, error) {
	free, err := script.FreePorts(ctx, 2+3*servers+dispatchers)
	if err != nil {
		return ports{}, err
	}
	take := func(n int) (some []int) {
		some, free = free[:n], free[n:]
		return some
	}
	return ports{
		callbacks: take(1)[0], ingest: take(1)[0],
		nats: take(servers), monitors: take(servers), routes: take(servers), dispatchers: take(dispatchers),
	}, nil
}
