//go:build unix

package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
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
	for _, to := range wanted {
		l, err := freePort(ctx)
		if err != nil {
			return ports{}, err
		}
		defer func() { _ = l.Close() }() // held until all are found, so that no two are the same
		*to = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

// freePort listens on a port below those that the system gives to outgoing
// connections, so that a program that was killed finds it free when it comes back.
func freePort(ctx context.Context) (net.Listener, error) {
	const first, number, tries = 15000, 15000, 100
	var all error
	for range tries {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(number)))
		if err == nil {
			return l, nil
		}
		all = errors.Join(all, err)
	}
	return nil, fmt.Errorf("find a free port: %w", all)
}
