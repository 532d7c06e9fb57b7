//go:build unix

package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gongdan-bridge/internal/testwing/harness"
)

// TestFewDescriptors runs ingest, with the NATS server inside it, on 64 descriptors, and
// a dispatcher beside it, while strangers hold the port with bodies that never come:
// callbacks are stored, the admin listener answers, and NATS works.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	p := programs(t)
	script := filepath.Join(t.TempDir(), "ingest")
	text := fmt.Sprintf("#!/bin/sh\nulimit -n 64\nexec '%s' \"$@\"\n", p.Ingest)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Ingest = script
	i := install(t, harness.Options{Programs: p})
	start(t, i)
	to, err := url.Parse(i.CallbackURL("acme"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		c, err := new(net.Dialer).DialContext(within(t, patience), "tcp", to.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c, "POST %s?nonce=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", to.Path); err != nil {
			t.Fatal(err)
		}
		if n%10 > 0 {
			continue
		}
		status, reply, err := i.Tenant("acme").Weiban.SendPlaintext(t.Context(), []byte(fmt.Sprintf(`{"id":"m%d"}`, n)))
		if err != nil || status != http.StatusOK {
			t.Errorf("a callback beside %d idle bodies: %d %s: %v", n, status, reply, err)
		}
		for _, program := range []*harness.Process{i.Ingest, i.Dispatchers[0]} {
			if status, body, err := program.Get(within(t, patience), "/readyz"); err != nil || status != http.StatusOK {
				t.Errorf("%s beside %d idle bodies: %d %s: %v", program.Name, n, status, body, err)
			}
		}
	}
	_, metrics, err := i.Ingest.Get(within(t, patience), "/metrics")
	if err != nil || !strings.Contains(string(metrics), `service_instance_id="`) {
		t.Errorf("ingest has no service.instance.id: %v", err)
	}
	log, err := i.Ingest.Log()
	if err != nil || !strings.Contains(string(log), `"descriptors":64,"connections":16,"in_flight":8`) || strings.Contains(string(log), "too many open files") {
		t.Errorf("the log does not tell the bounds, or a descriptor was missing (%v)", err)
	}
}
