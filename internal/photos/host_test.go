package photos

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"gongdan-bridge/internal/events"
)

func TestPublicAddresses(t *testing.T) {
	for _, a := range []string{"1.1.1.1", "101.226.103.1", "223.5.5.5", "192.0.1.1", "100.128.0.1", "172.32.0.1", "2400:3200::1", "2606:4700::1111"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.1.2", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "169.254.0.23", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:1.1.1.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::101:101",
		"64:ff9b:1::1", "100::1", "fe80::1", "fe80::1%eth0", "2400:3200::1%1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "4000::1", "5f00::1",
	} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s may be connected to", a)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address at all may be connected to")
	}
}

func TestHostNames(t *testing.T) {
	names := []string{"img.example.com", "*.qpic.cn", "*.Weiban.Example", "*"}
	for _, host := range []string{"img.example.com", "IMG.example.COM", "a.qpic.cn", "a.b.qpic.cn", "x.weiban.example"} {
		if !fits(host, names) {
			t.Errorf("%s is not allowed", host)
		}
	}
	for _, host := range []string{
		"", "qpic.cn", ".qpic.cn", "evilqpic.cn", "a.qpic.cn.evil.example", "example.com", "a.img.example.com", "img.example.com.", "127.0.0.1", "::1", "2130706433",
	} {
		if fits(host, names) {
			t.Errorf("%s is allowed", host)
		}
	}
}

// nameServer resolves every name to what answers says, by the type of record.
func nameServer(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if reply := resolve(b[:n], answers); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// resolve is the answer to a question in the form of RFC 1035.
func resolve(query []byte, answers []string) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // root, type, class
	if end > len(query) {
		return nil
	}
	const typeA, typeAAAA = 1, 28
	asked := binary.BigEndian.Uint16(query[end-4:])
	out := append([]byte(nil), query[:end]...)
	count := uint16(0)
	for _, text := range answers {
		a := netip.MustParseAddr(text)
		kind := uint16(typeAAAA)
		if a.Is4() {
			kind = typeA
		}
		if kind != asked {
			continue
		}
		count++
		out = append(out, 0xc0, 12)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 0) // class IN, to live 0 s
		out = binary.BigEndian.AppendUint16(out, uint16(a.BitLen()/8))
		out = append(out, a.AsSlice()...)
	}
	binary.BigEndian.PutUint16(out[2:], 0x8180)
	binary.BigEndian.PutUint16(out[6:], count)
	binary.BigEndian.PutUint32(out[8:], 0)
	return out
}

// TestWhatANameResolvesTo: an allowed name that resolves to an address of this
// machine or of a private network is not connected to, whatever form it has.
func TestWhatANameResolvesTo(t *testing.T) {
	for _, answer := range []string{
		"127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1", "fd00::1",
	} {
		f := &fetcher{rt: guarded(nameServer(t, answer), public), hosts: []string{"*.example.com"}, types: []string{"image/png"}, maxBytes: 1000}
		_, err := f.get(t.Context(), "https://img.example.com/a.png?token=hunter2")
		if events.KindOf(err) != events.Rejected || !strings.Contains(err.Error(), "img.example.com: its address is not a public one") {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// TestTheGuardIsOnTheWay: the same way out reaches a host whose address may be
// connected to, asks the guard for each connection anew, and asks no proxy.
func TestTheGuardIsOnTheWay(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	t.Cleanup(s.Close)
	asked, open := []string(nil), true
	rt := guarded(nameServer(t, "127.0.0.1"), func(a netip.Addr) bool { asked = append(asked, a.String()); return open })
	if rt.Proxy != nil {
		t.Error("a proxy would resolve names by itself")
	}
	base, ok := s.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the test server has another transport")
	}
	rt.TLSClientConfig.RootCAs = base.TLSClientConfig.RootCAs
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com:"+port, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := ask(); err != nil || len(asked) != 1 || asked[0] != "127.0.0.1" {
		t.Fatalf("asked %v, %v", asked, err)
	}
	open = false // the name now resolves to what may not be asked
	if err := ask(); !errors.Is(err, errNotPublic) || len(asked) != 2 {
		t.Fatalf("asked %v, %v", asked, err)
	}
}
