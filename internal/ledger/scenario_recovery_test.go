package ledger_test

import (
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// recover is a takeover in another history of the store. "forget" takes the record
// away; "lost" and "stale" say up to which message of both streams calls may have been
// made; with "fits" the record is of the history; "enrich" and "handle" list what their streams hold, "enriched", "ended" and
// "unanswered" what has had its end; "applied" is an effect, event:identity.
func (c *scene) recover(words []string) []string {
	opt := map[string]string{}
	for _, x := range words {
		k, v, _ := strings.Cut(x, "=")
		opt[k] = v
	}
	list := func(name string) (out []string) {
		if opt[name] != "" {
			out = strings.Split(opt[name], ",")
		}
		return out
	}
	ended := func(name string) (out []ledger.Ended) {
		for _, id := range list(name) {
			out = append(out, ledger.Ended{EventID: id})
		}
		return out
	}
	upTo := func(name string) (m ledger.Moments) {
		if n, err := strconv.ParseUint(opt[name], 10, 64); err == nil {
			m = ledger.Moments{Callbacks: n, Events: n, Time: c.m.At}
		}
		return m
	}
	_, forget := opt["forget"]
	if forget {
		c.bucket = nil
	}
	r, err := ledger.Decode(c.bucket)
	if err != nil {
		c.t.Fatal(err)
	}
	rec := &ledger.Recovery{
		Lost: forget, Ended: [2][]ledger.Ended{ended("enriched"), ended("ended")}, Stored: [2][]string{list("enrich"), list("handle")},
		Unanswered: ended("unanswered"),
	}
	n, _ := strconv.ParseUint(opt["recheck"], 10, 64)
	rec.Recheck = [2]uint64{n, n}
	for _, x := range list("applied") {
		event, id, _ := strings.Cut(x, ":")
		rec.Effects = append(rec.Effects, ledger.Effect{
			IDs: []string{id}, EventID: event, State: ledger.Applied, Marker: ledger.Marker("acme", id, 0, 0), Sends: 1,
			Bill: &ledger.Bill{ID: "77", OrderNo: "fwgs-1"}, Position: events.Position(begin, 7), Status: "F",
		})
	}
	in := ledger.Takeover{
		Listed: r.Open(), History: "b", Doubtful: ledger.Doubtful{Lost: upTo("lost"), Stale: upTo("stale")}, Recovery: rec,
	}
	if _, fits := opt["fits"]; fits {
		in.History, in.Recovery = "", nil
	}
	c.o = ledger.Load(r)
	return c.feed(in)
}
