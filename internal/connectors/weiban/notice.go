package weiban

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// Bounds of what a notice may be named by, since it becomes part of subjects,
// event types and message ids.
const (
	maxWord = 64  // bytes of event and status
	maxID   = 128 // bytes of a message id, an order number, an opportunity's id
)

// Notice is what a callback announces: something happened to one order. What
// is true now is behind the detail call.
type Notice struct {
	ID         string    // message id; ContentKey where Weiban's is missing, too long or not printable ASCII
	CorpID     string    // 企业id; not authenticated, for information only
	Event      string    // Weiban's own word, 1–64 of A–Z a–z 0–9 _ . -
	Status     string    // likewise
	Type       string    // Weiban's own word, possibly ""
	CreateTime time.Time // UTC, to the millisecond; zero if missing or not a time
	RetryCount *int64    // nil if not sent
	Seq        *int64    // nil if not sent

	Noun         events.Noun // "" for events that have no detail call
	Key          string      // order number, opportunity id or serial number; the message id where Noun is "" and there is no order number
	SerialNumber string      // of an opportunity, "" if not sent

	// MsgData is as much of msg_data as fits; a member in an unknown form is
	// left zero here and remains in the plaintext.
	MsgData MsgData

	// ContentKey is the same for two messages that say the same, whatever their
	// id, retry count, sequence, notation of time or escapes:
	// "c-" and 32 hex digits.
	ContentKey string
}

// ParseNotice reads the plaintext of a callback. Unknown events and statuses
// are fine. The error says what is not understood and holds nothing of the
// content: not strict JSON, not an object, no usable event or status, or a work
// order or opportunity event that does not say which order. Such a plaintext
// was signed all the same and must not be dropped.
func ParseNotice(plaintext []byte) (Notice, error) {
	v, err := strictjson.Decode(plaintext)
	if err != nil {
		return Notice{}, fmt.Errorf("parse notice: %w", err)
	}
	// A tree, since a struct would take members in any spelling.
	members, ok := v.(map[string]any)
	if !ok {
		return Notice{}, errors.New("parse notice: not an object")
	}
	n := Notice{
		CorpID:     identifier(members["corp_id"]),
		Event:      word(members["event"]),
		Status:     word(members["status"]),
		Type:       word(members["type"]),
		CreateTime: moment(members["create_time"]),
		RetryCount: count(members["retry_count"]),
		Seq:        count(members["seq"]),
	}
	if n.Event == "" || n.Status == "" {
		return Notice{}, errors.New("parse notice: event or status is missing or not a plain word")
	}
	data, _ := members["msg_data"].(map[string]any)
	n.MsgData = msgData(data)
	n.SerialNumber = string(n.MsgData.SerialNumber)
	n.ContentKey = n.contentKey(members["create_time"], members["msg_data"])
	n.ID = printable([]byte(identifier(members["id"])), maxID)
	if n.ID == "" {
		n.ID = n.ContentKey
	}
	if !n.setKey() {
		return Notice{}, fmt.Errorf("parse notice: %s does not say which order", n.Event)
	}
	return n, nil
}

// Ref is how an opportunity's detail is asked for.
func (n Notice) Ref() OpportunityRef {
	id := n.MsgData.OpportunityID
	if id == "" {
		id = n.MsgData.ID
	}
	return OpportunityRef{ID: string(id), SerialNumber: n.SerialNumber}
}

func (n *Notice) setKey() bool {
	switch n.Event {
	case EventWorkOrder:
		n.Noun, n.Key = events.WorkOrder, string(n.MsgData.OrderNo)
	case EventOpportunity:
		n.Noun, n.Key = events.Opportunity, n.Ref().ID
		if n.Key == "" {
			n.Key = n.SerialNumber
		}
	default:
		n.Key = string(n.MsgData.OrderNo)
		if n.Key == "" {
			n.Key = n.ID
		}
	}
	return n.Key != ""
}

// contentKey hashes what the message says, not how it is written.
func (n *Notice) contentKey(created, data any) string {
	millis := keyMillis(created)
	b := make([]byte, 0, 1024)
	for _, text := range []string{n.Event, n.Status, strconv.FormatInt(millis, 10)} {
		b = canonical(b, text)
	}
	sum := sha256.Sum256(canonical(b, data))
	return "c-" + hex.EncodeToString(sum[:16])
}

// canonical appends v in the one way in which its content can be written:
// texts with their length, members sorted, numbers in plain notation.
func canonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		b = strconv.AppendInt(append(b, '{'), int64(len(v)), 10)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = canonical(canonical(b, name), v[name])
		}
		return b
	case []any:
		b = strconv.AppendInt(append(b, '['), int64(len(v)), 10)
		for _, member := range v {
			b = canonical(b, member)
		}
		return b
	}
	text, f := scalarOf(v)
	if d, ok := parseDecimal(text); ok && f == formNumber {
		text = d.String()
	}
	b = strconv.AppendInt(append(b, f[0]), int64(len(text)), 10)
	return append(append(b, ':'), text...)
}

// moment is the time that a value stands for, the zero time if it is none.
func moment(v any) time.Time {
	text, f := scalarOf(v)
	at, ok := Moment(text)
	if !ok || f != formNumber && f != formText {
		return time.Time{}
	}
	return at
}

// word is a text that may stand in a subject and in an event's type, else "".
func word(v any) string {
	text, ok := v.(string)
	if !ok || len(text) > maxWord {
		return ""
	}
	for _, c := range []byte(text) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !plain && c != '_' && c != '-' && c != '.' {
			return ""
		}
	}
	return text
}

// identifier is a bounded printable text or a number's digits, else "".
func identifier(v any) string {
	switch text, f := scalarOf(v); f {
	case formText:
		if len(text) <= maxID && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
			return text
		}
	case formNumber:
		if digits(text) {
			return text
		}
	}
	return ""
}

func count(v any) *int64 {
	text, f := scalarOf(v)
	n, ok := asInt(text)
	if !ok || text == "" || f != formNumber && f != formText {
		return nil
	}
	return (*int64)(&n)
}
