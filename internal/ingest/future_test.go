package ingest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
)

// TestTimesThatAreNotBelieved: an event whose time is absent, or lies further ahead
// than the setting allows, says when it came; it keeps the vendor's time. Any other
// event says nothing.
func TestTimesThatAreNotBelieved(t *testing.T) {
	b := bustest.New(t)
	e := endpoint(t, b, io.Discard, func(o *ingest.Options) { o.MaxFuture = time.Hour })
	began := time.Now().Truncate(time.Millisecond)
	for i, tt := range []struct {
		sent     string
		believed bool
	}{
		{fmt.Sprint(began.Unix()), true},
		{fmt.Sprint(began.Add(50 * time.Minute).Unix()), true},
		{`1640244967.924`, true},
		{`"2021-12-23 15:36:07"`, true},
		{fmt.Sprint(began.Add(62 * time.Minute).Unix()), false},
		{`4102444800`, false}, // the year 2100
		{`null`, false},
		{`"soon"`, false},
	} {
		text := strings.Replace(notice(fmt.Sprint("m", i), "close", "1446377590381088768"), "1640244967.924", tt.sent, 1)
		q, body := signed(t, key, corp, text)
		if w := post(t, e, "/weiban/acme", q, body); w.Code != http.StatusOK {
			t.Fatalf("%s: %d", tt.sent, w.Code)
		}
		s, err := b.Get(t.Context(), "CALLBACKS", uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil {
			t.Fatal(err)
		}
		arrived := events.Extension(ev, events.ExtArrived)
		if (arrived == "") != tt.believed {
			t.Errorf("%s: arrived %q", tt.sent, arrived)
		}
		if at, err := time.Parse(time.RFC3339, arrived); !tt.believed && (err != nil || at.Before(began) || at.After(time.Now())) {
			t.Errorf("%s: arrived %q: %v", tt.sent, arrived, err)
		}
		if tt.sent == "4102444800" && ev.Time().Year() != 2100 {
			t.Errorf("the vendor's time became %v", ev.Time())
		}
	}
}
