package photos

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// errNotPublic keeps a connection from being made.
var errNotPublic = errors.New("the address is not a public one")

// fits reports whether a host is one of the names, which are exact or begin with
// "*." for everything below.
func fits(host string, names []string) bool {
	host = strings.ToLower(host)
	for _, n := range names {
		n = strings.ToLower(n)
		below, wild := strings.CutPrefix(n, "*")
		if host == n || wild && strings.HasPrefix(below, ".") && strings.HasSuffix(host, below) && len(host) > len(below) {
			return true
		}
	}
	return false
}

// secure reads an address that may be asked, or says why not. One of http is asked
// over https: a picture is not worth an open line.
func (f *fetcher) secure(u *url.URL) (*url.URL, error) {
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "" {
		return nil, refused("its source is no web address")
	}
	host := u.Hostname()
	switch {
	case !fits(host, f.hosts):
		return nil, refused("the host " + shown(host) + " is not in kingdee.photos.hosts")
	case u.User != nil:
		return nil, refused(host + ": the address names a user")
	case u.Port() != "" && u.Port() != "443":
		return nil, refused(host + ": the address names a port")
	}
	c := *u
	c.Scheme, c.Host, c.Fragment, c.RawFragment = "https", host, "", ""
	return &c, nil
}

// shown is a host as a person may read it: what is none can be anything.
func shown(host string) string {
	odd := func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if host == "" || len(host) > 253 || strings.IndexFunc(host, odd) >= 0 {
		return "of its source"
	}
	return host
}

// public reports whether an address may be connected to: one that the whole
// internet routes to a single place. Everything else is refused: this machine,
// private and shared networks, link-local ones, where clouds keep credentials,
// multicast, and forms of IPv6 that stand for an IPv4 address.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special() {
		if p.Contains(a) {
			return false
		}
	}
	return a.Is4() || netip.MustParsePrefix("2000::/3").Contains(a) // not with a zone, and no IPv4 within IPv6
}

// special are the networks of IANA's special-purpose registries within what is
// global unicast otherwise, and a cloud's inner server.
func special() []netip.Prefix {
	texts := [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32",                                                          // Azure's, on every host there
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", // Teredo, 6to4, documentation
	}
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// guard is asked by the dialer once a name is resolved, for the very address that
// it is about to connect to: what a name resolves to later does not matter.
func guard(may func(netip.Addr) bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !may(a.Addr()) {
			return errNotPublic
		}
		return nil
	}
}

// guarded is the way out to strangers' hosts.
func guarded(resolver *net.Resolver, may func(netip.Addr) bool) *http.Transport {
	d := &net.Dialer{Timeout: 10 * time.Second, Resolver: resolver, ControlContext: guard(may)}
	return &http.Transport{
		DialContext:            d.DialContext, // and no Proxy: it would resolve names by itself
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true, // a small answer stays small
	}
}
