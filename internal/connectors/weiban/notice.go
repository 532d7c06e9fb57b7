package weiban

import (
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/events"
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
	ID         string    // message id; ContentKey where Weiban's is missing, a hash where it is too long or not printable ASCII
	CorpID     string    // 企业id; not authenticated, for information only
	Event      string    // Weiban's own word, 1–64 of A–Z a–z 0–9 _ . -
	Status     string    // Weiban's own word; UnknownStatus where it cannot be read
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

// ParseNotice reads the plaintext of a callback, or the data of its event.
// Unknown events and statuses are fine, and so is every form of a member that
// can be told. The error says what is not understood and holds nothing of the
// content: not JSON, not an object, no usable event, or a work order or
// opportunity event that does not say which order.
func ParseNotice(plaintext []byte) (Notice, error) {
	d, err := readPlain(plaintext)
	if err != nil {
		return Notice{}, fmt.Errorf("parse notice: %w", err)
	}
	members, ok := d.tree.(map[string]any)
	if !ok {
		return Notice{}, errors.New("parse notice: not an object")
	}
	n, fault := notice(members)
	if fault != "" {
		return Notice{}, fmt.Errorf("parse notice: %s", fault)
	}
	return n, nil
}

// notice reads the members of a callback. A fault says why its order cannot be
// told: the notice then has no Key, and where its event cannot be read neither
// Event nor Noun.
func notice(members map[string]any) (n Notice, fault string) {
	n = Notice{
		CorpID:     identifier(members["corp_id"]),
		Event:      word(members["event"], EventWorkOrder, EventOpportunity),
		Status:     status(members["status"]),
		Type:       word(members["type"]),
		CreateTime: moment(members["create_time"]),
		RetryCount: count(members["retry_count"]),
		Seq:        count(members["seq"]),
	}
	data, _ := objectOf(members["msg_data"])
	n.MsgData = msgData(data)
	n.SerialNumber = string(n.MsgData.SerialNumber)
	n.ContentKey = contentKey(n.Event, n.Status, members)
	n.ID = messageID(members["id"], n.ContentKey)
	if n.Event == "" {
		return n, "event is missing or not a plain word"
	}
	if n.setKey(); n.Key != "" {
		return n, ""
	}
	if n.Event == EventWorkOrder {
		_, fault = number(data["order_no"])
		return n, n.Event + " does not say which order: order_no " + fault
	}
	for _, name := range []string{"opportunity_id", "id", "serial_number"} {
		if _, fault = number(data[name]); data[name] != nil {
			return n, n.Event + " does not say which order: " + name + " " + fault
		}
	}
	return n, n.Event + " does not say which order: opportunity_id is absent"
}

// UnknownStatus stands for a status that is absent or no plain word.
const UnknownStatus = "unknown"

// status is Weiban's own word for a change. A number is its digits.
func status(v any) string {
	if text, f := scalarOf(v); f == formNumber || f == formBool {
		v = text
	}
	w := word(v, Statuses()...)
	if w == "" {
		return UnknownStatus
	}
	return w
}

// messageID is a message's id: a hash of it where it cannot be part of an event's
// id, and otherwise where it is absent.
func messageID(v any, otherwise string) string {
	switch text, f := scalarOf(v); {
	case f == formText && text != "":
		return events.MessageName(text)
	case f == formNumber && digits(text):
		return events.MessageName(text)
	case v == nil, f == formText:
		return otherwise
	}
	return "h-" + events.Hash(canonical(nil, v))
}

// Ref is how an opportunity's detail is asked for.
func (n Notice) Ref() OpportunityRef {
	id := n.MsgData.OpportunityID
	if id == "" {
		id = n.MsgData.ID
	}
	return OpportunityRef{ID: string(id), SerialNumber: n.SerialNumber}
}

func (n *Notice) setKey() {
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

func count(v any) *int64 {
	text, f := scalarOf(v)
	n, ok := asInt(text)
	if !ok || text == "" || f != formNumber && f != formText {
		return nil
	}
	return (*int64)(&n)
}
