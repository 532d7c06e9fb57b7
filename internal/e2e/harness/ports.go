//go:build unix

package harness

import (
	"context"

	"gongdan-bridge/internal/sandbox/script"
)

// ports are the loopback ports of one installation.
type ports struct {
	nats, monitor, callbacks, ingest int
	dispatchers                      []int
}

// freePorts finds ports that nobody uses now.
func freePorts(ctx context.Context, dispatchers int) (ports, error) {
	p := ports{dispatchers: make([]int, dispatchers)}
	wanted := []*int{&p.nats, &p.monitor, &p.callbacks, &p.ingest}
	for n := range p.dispatchers {
		wanted = append(wanted, &p.dispatchers[n])
	}
	found, err := script.FreePorts(ctx, len(wanted))
	if err != nil {
		return ports{}, err
	}
	for n, to := range wanted {
		*to = found[n]
	}
	return p, nil
}
