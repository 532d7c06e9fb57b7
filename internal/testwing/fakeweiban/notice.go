package fakeweiban

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// Events that the simulator tells of.
const (
	EventOrder       = "work_order_change"
	EventOpportunity = "opportunity_change"
)

// Notice is one callback message, before it is sealed and sent.
type Notice struct {
	ID     string // uuid; stays over retries
	Event  string
	Status string // create, switch, reply, close, reopen; update, stage
	Key    string // order number, or id of the opportunity
	At     time.Time
	Millis bool // create_time in milliseconds, not in seconds with a fraction
	Seq    int
	Data   map[string]any // msg_data

	corpID  string
	bare    bool
	escaped bool
}

// notice is called under the lock.
func (s *Server) notice(event, status, key string, at time.Time, millis bool, data object) Notice {
	s.seq++
	return Notice{
		ID: s.uuid(), Event: event, Status: status, Key: key, At: at, Millis: millis, Seq: s.seq, Data: data,
		corpID: s.o.CorpID, bare: s.o.Callback.Bare, escaped: s.o.Callback.Escaped,
	}
}

// Renamed is the same message under a new id, as a sender makes it that does
// not remember what it has sent.
func (s *Server) Renamed(n Notice) Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.ID = s.uuid()
	return n
}

// uuid is called under the lock.
func (s *Server) uuid() string {
	a, b := s.random.Uint64(), s.random.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffff_ffff_ffff)
}

// Plaintext is the message as it is sealed, for the given retry_count.
func (n Notice) Plaintext(retry int) []byte {
	message := struct {
		ID         string          `json:"id"`
		CorpID     string          `json:"corp_id"`
		CreateTime json.RawMessage `json:"create_time"`
		Type       string          `json:"type"`
		Event      string          `json:"event"`
		Status     string          `json:"status"`
		RetryCount *int            `json:"retry_count,omitempty"`
		Seq        *int            `json:"seq,omitempty"`
		MsgData    map[string]any  `json:"msg_data"`
	}{
		ID: n.ID, CorpID: n.corpID, CreateTime: n.createTime(), Type: "event",
		Event: n.Event, Status: n.Status, RetryCount: &retry, Seq: &n.Seq, MsgData: n.Data,
	}
	if n.bare {
		message.RetryCount, message.Seq = nil, nil
	}
	out := fakevendor.Encode(message)
	if n.escaped {
		out = escape(out)
	}
	return out
}

// createTime is 1640244967.924 or 1640244967924; a fraction has no closing
// zeros, as a number that went through a float has none.
func (n Notice) createTime() json.RawMessage {
	ms := n.At.UnixMilli()
	if n.Millis {
		return json.RawMessage(strconv.FormatInt(ms, 10))
	}
	return json.RawMessage(strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64))
}

// escape writes every character outside ASCII as \uXXXX, as the sender of
// Weiban's own sample does. It is only for JSON.
func escape(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r < utf8.RuneSelf:
			out = append(out, b[0])
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}
