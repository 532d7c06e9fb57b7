package kingdee

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
)

// cut is a network in which some calls find no connection.
type cut struct {
	calls atomic.Value // last path element of what is cut, "" for nothing, "*" for all
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if cut, _ := c.calls.Load().(string); cut == "*" || cut != "" && strings.HasSuffix(r.URL.Path, cut) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Without a connection no session is fetched and no fetch is spent: as soon as
// Kingdee is back there is one. A token call that got through counts, also where
// what comes behind it did not.
func TestOnlyFetchesThatReachKingdeeCount(t *testing.T) {
	g, network := newGateway(t), &cut{}
	c := g.client(func(o *Options) {
		o.PerMinute = 2
		o.Account = accounttest.New(t, connectors.AccountOptions{
			Vendor: "kingdee", HTTP: &http.Client{Transport: network}, Breaker: connectors.BreakerSettings{Failures: 100},
		})
	})
	for i, cut := range []string{"*", "*", "*", "kingdee_auth_token", "kingdee_auth_token", "kingdee_auth_token"} {
		network.calls.Store(cut)
		if _, err := c.HandleOrder(t.Context(), pageOrder()); events.KindOf(err) != events.Unavailable {
			t.Fatalf("call %d without a connection: %v", i, err)
		}
	}
	g.took()
	network.calls.Store("get_current_user_info")
	for range 2 {
		if _, err := c.HandleOrder(t.Context(), pageOrder()); events.KindOf(err) != events.Unavailable {
			t.Fatalf("without a user: %v", err)
		}
	}
	network.calls.Store("")
	_, err := c.HandleOrder(t.Context(), pageOrder())
	tokens := strings.Count(strings.Join(g.took(), " "), "kingdee_auth_token")
	if events.KindOf(err) != events.Throttled || tokens != 2 {
		t.Errorf("%d token calls, then %v", tokens, err)
	}
}
