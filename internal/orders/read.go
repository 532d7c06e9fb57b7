package orders

import (
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Message is a stored message of a stage and what was read of it.
type Message struct {
	ledger.Message
	Stored   bus.Stored
	Event    events.Event
	Fault    *events.Failure // why it cannot be read; nil: it was
	Notice   weiban.Notice   // of enrich
	Callback uint64          // sequence of the callback in CALLBACKS
}

// Read reads a stored message of a stage for what the ledger must know of it. A message that
// makes the reader panic is one that cannot be read. maxFuture bounds the time of events
// that were stored before ingest did.
func Read(stage events.Stage, s bus.Stored, maxFuture time.Duration) (m *Message) {
	defer func() {
		if p := recover(); p != nil {
			m = Unread(s)
			m.EventID, m.Fault = ForeignID(s), events.Panicked(p)
		}
	}()
	m = Unread(s)
	if n, err := strconv.Atoi(s.Header.Get(deadletter.HeaderReplay)); err == nil {
		m.Replay, m.Asked = n, true
	}
	if n, err := strconv.ParseUint(s.Header.Get(deadletter.HeaderSequence), 10, 64); err == nil {
		m.Callback = n
	}
	m.Forced = s.Header.Get(deadletter.HeaderForced)
	if n, err := strconv.Atoi(s.Header.Get(deadletter.HeaderGeneration)); err == nil && m.Forced != "" {
		m.Generation = max(n, 0)
	}
	ev, err := EventOf(s)
	if err != nil {
		m.EventID = ForeignID(s)
		m.Fault = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return m
	}
	m.Event, m.EventID, m.Position = ev, ev.ID(), events.Extension(ev, events.ExtPosition)
	if stage == events.Handle {
		m.Arrived = events.Extension(ev, events.ExtArrived) != ""
		// What a replay of enrich made is asked for, too.
		m.Asked = m.Asked || strings.Contains(m.EventID, "~enrich~") && !strings.HasSuffix(m.EventID, "~enrich~0")
		return m
	}
	if why := events.Extension(ev, events.ExtUnnumbered); why != "" {
		m.Fault = &events.Failure{Kind: events.Invalid, Reason: "it cannot be told which order this callback is about: " + why}
		return m
	}
	n, err := weiban.ParseNotice(ev.Data())
	if err != nil {
		m.Fault = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return m
	}
	m.Notice = n
	happened := events.Happened(ev, n.CreateTime, s.Time, maxFuture)
	m.Position, m.Arrived = events.Position(happened, m.Callback), !happened.Equal(n.CreateTime)
	return m
}

// Unread is a message of which only its place in the stream is known.
func Unread(s bus.Stored) *Message {
	m := &Message{Stored: s, Callback: s.Sequence}
	m.Seq, m.At = s.Sequence, s.Time.UnixNano()
	return m
}
