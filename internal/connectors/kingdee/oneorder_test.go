package kingdee

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
)

// A read that fails for one bill, while another one is answered, is about that bill:
// unless the gateway says that itself is at fault.
func TestAReadThatFailsForOneBill(t *testing.T) {
	for bad, want := range map[string]events.Kind{
		"<html>系统维护中</html>":                                          events.Invalid,
		`{"success":false,"errorCode":"2000002000","message":"系统异常"}`: events.Invalid,
		`{"errcode":5004}`: events.Unavailable,
	} {
		g := newGateway(t)
		c := g.client(func(o *Options) { o.UserID = "10102023" })
		good := rows(t, 100, records(1), shapes["data"])
		g.on("loadList", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), order) {
				say(w, 200, bad)
				return
			}
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			good(w, r)
		})
		if _, err := c.DealRecords(t.Context(), order); events.KindOf(err) != events.Unavailable {
			t.Errorf("%s, with nothing to compare: %v", bad, err)
		}
		if _, err := c.DealRecords(t.Context(), "fwgs-2"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DealRecords(t.Context(), order); events.KindOf(err) != want {
			t.Errorf("%s: %v, want %s", bad, err, want)
		}
	}
}

// One bill's write, or one file, that never gets a readable answer does not open the
// breaker of its API; several do.
func TestOneBillOpensNoBreaker(t *testing.T) {
	for _, several := range []bool{false, true} {
		g := newGateway(t)
		account := accounttest.New(t, connectors.AccountOptions{Vendor: "kingdee"})
		t.Cleanup(account.Close)
		c := g.client(func(o *Options) { o.UserID, o.Account = "10102023", account })
		for _, name := range []string{uploadName, handleName} {
			g.on(name, always(200, "<html>系统维护中</html>"))
		}
		for n := range 6 {
			o, f := pageOrder(), picture()
			if several {
				o.Body.OrderNo, f.Data = fmt.Sprint("fwgs-", n), []byte{byte(n)}
			}
			if _, err := c.HandleOrder(t.Context(), o); n < 5 && events.KindOf(err) != events.Uncertain {
				t.Fatal(err)
			}
			if _, err := c.Upload(t.Context(), f); events.KindOf(err) != events.Unavailable {
				t.Fatal(err)
			}
		}
		for _, api := range []string{APIHandleOrder, APIUpload} {
			if got := account.State(api).Breaker == "open"; got != several {
				t.Errorf("%s, several %v: the breaker is open: %v", api, several, got)
			}
		}
	}
}
