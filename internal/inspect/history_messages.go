package inspect

import (
	"context"
	"encoding/json"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// messages tells what the streams hold under the order's own subjects.
func (h *historyOf) messages(ctx context.Context) error {
	key := events.Token(h.Key)
	every := "gongdan." + events.Token(h.Tenant) + "."
	sources := []struct {
		stream, subject string
		line            func(bus.Stored) (Line, bool)
	}{{bus.Callbacks, every + "event.weiban.*.*." + key, h.callback}}
	if h.Noun != "" {
		for _, s := range ledger.Stages {
			sources = append(sources, struct {
				stream, subject string
				line            func(bus.Stored) (Line, bool)
			}{orders.StreamOf(s), events.ReplaySubject(h.Tenant, s, h.Noun, h.Key), h.replay})
		}
		sources = append(sources, []struct {
			stream, subject string
			line            func(bus.Stored) (Line, bool)
		}{
			{bus.Events, every + "event.enriched." + string(h.Noun) + ".*." + key, h.enriched},
			{bus.Events, every + "event.kingdee.handle_order.*." + key, h.outcome},
		}...)
	}
	for _, s := range sources {
		err := orders.EachPage(ctx, h.b, s.stream, s.subject, 1, 0, func(m bus.Stored) error {
			if l, ok := s.line(m); ok {
				l.Stream, l.Sequence = m.Stream, m.Sequence
				h.Lines = append(h.Lines, l)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *historyOf) line(m bus.Stored, ev events.Event, what string, s events.Stage) Line {
	l := Line{At: m.Time, What: what, Stage: s}
	if ev.Context != nil {
		l.Event = ev.ID()
		if h.bodies && !ev.DataBase64 {
			l.Body = ev.Data()
		}
	}
	return l
}

func (h *historyOf) callback(m bus.Stored) (Line, bool) {
	t := strings.Split(m.Subject, ".")
	if events.NounOf(t[4]) != h.Noun {
		return Line{}, false
	}
	ev := orders.EventOrZero(m)
	l := h.line(m, ev, LineCallback, "")
	l.Text = t[4] + " " + untoken(t[5])
	if ev.Context == nil {
		l.Text += ", not a readable event"
		return l, true
	}
	if at := ev.Time(); !at.IsZero() {
		l.Text += ", of " + clock(at)
	}
	if o := events.Extension(ev, events.ExtOrigin); o != string(events.FromCallback) && o != "" {
		l.Text += ", by " + o
	}
	return l, true
}

func untoken(token string) string {
	s, err := events.Untoken(token)
	if err != nil {
		return token
	}
	return s
}

func (h *historyOf) replay(m bus.Stored) (Line, bool) {
	r, err := events.ParseRoute(m.Subject)
	if err != nil {
		return Line{}, false
	}
	l := h.line(m, orders.EventOrZero(m), LineReplay, r.Stage)
	l.Body = nil // the event was told before
	l.Text = "sent again, replay " + m.Header.Get(deadletter.HeaderReplay)
	if why := m.Header.Get(deadletter.HeaderForced); why != "" {
		l.Text += ", by force: " + why
		if n := m.Header.Get(deadletter.HeaderGeneration); n != "" && n != "0" {
			l.Text += ", as generation " + n
		}
	}
	return l, true
}

func (h *historyOf) enriched(m bus.Stored) (Line, bool) {
	ev := orders.EventOrZero(m)
	l := h.line(m, ev, LineEnriched, events.Enrich)
	l.Text = "the detail was read"
	if ev.Context == nil {
		return l, true
	}
	if d, err := events.DecodeEnriched(ev); err == nil {
		l.Text += " at " + clock(d.FetchedAt)
		if d.UpdatedAt != nil {
			l.Text += ", state of " + clock(*d.UpdatedAt)
		}
	}
	return l, true
}

func (h *historyOf) outcome(m bus.Stored) (Line, bool) {
	ev := orders.EventOrZero(m)
	var o events.HandleOutcome
	if ev.Context == nil || json.Unmarshal(ev.Data(), &o) != nil || o.Noun != h.Noun {
		return Line{}, false
	}
	l := h.line(m, ev, LineOutcome, o.Stage)
	l.Body = nil
	if h.bodies {
		l.Body = o.Body
	}
	l.Event = events.Extension(ev, events.ExtCausation)
	o.Body = nil
	l.End, l.Text = &o, outcomeText(o)
	return l, true
}
