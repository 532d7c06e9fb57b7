package script

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// listen listens on a free port of 127.0.0.1, and reserves it until ctx ends: after a
// close the port is still free for its owner. The port is below the range that systems
// use for outgoing connections.
func listen(ctx context.Context) (net.Listener, error) {
	const first, number, tries = 10000, 20000, 100
	var all error
	for range tries {
		l, err := reserve(ctx, fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(number)))
		if err == nil {
			return l, nil
		}
		all = errors.Join(all, err)
	}
	return nil, fmt.Errorf("find a free port: %w", all)
}

// reserve listens on a TCP port, and holds the UDP port with the same number until ctx
// ends. It fails if that UDP port is taken. The UDP port is the reservation: every
// process that looks for ports by reserve sees it, and no other program needs it.
func reserve(ctx context.Context, addr string) (net.Listener, error) {
	held, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	context.AfterFunc(ctx, func() { _ = held.Close() }) // nothing was written to it
	return l, nil
}

// FreePorts finds n different free ports of 127.0.0.1, and reserves
// them until ctx ends, for programs that are told their ports, and that keep
// them when they are killed and come back.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := listen(ctx)
		if err != nil {
			return nil, err
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	return ports, nil
}
