package script

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// listen takes a port of 127.0.0.1 that nobody uses. It is one below those that
// systems give to outgoing connections, so that who closes it finds it free
// when he comes back.
func listen(ctx context.Context) (net.Listener, error) {
	const first, number, tries = 10000, 20000, 100
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

// FreePorts finds n different ports of 127.0.0.1 that nobody uses now, for
// programs that are told their ports, and that keep them when they are killed
// and come back.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := listen(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // held until all are found, so that no two are the same
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
