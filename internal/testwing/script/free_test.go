package script

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
)

// TestAReservedPortIsNobodyElses: also while nobody listens there.
func TestAReservedPortIsNobodyElses(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	ports, err := FreePorts(ctx, 50)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if n := len(slices.Compact(slices.Clone(ports))); n != len(ports) {
		t.Errorf("%d of %d ports are different", n, len(ports))
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	if l, err := reserve(t.Context(), addr); err == nil {
		t.Error("a reserved port was given away", l.Close())
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("who reserved it cannot use it: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	end()
	for l = nil; l == nil; { // the reservation ends a moment later
		l, _ = reserve(t.Context(), addr)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
