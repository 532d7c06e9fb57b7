package events

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxID is the longest message id, in bytes, that becomes an event id as it is.
const MaxID = 128

// SafeID is id where it can be an event id as it is (printable ASCII of at most
// [MaxID] bytes, not empty), else a hash of it.
func SafeID(id string) string { return safe(id, MaxID) }

func safe(id string, limit int) string {
	ok := id != "" && len(id) <= limit
	for i := 0; ok && i < len(id); i++ {
		ok = id[i] > ' ' && id[i] < 0x7f && id[i] != '~'
	}
	if ok {
		return id
	}
	return "h-" + Hash([]byte(id))
}

// A callback's event id ends with a point and so many hex digits of its intake
// key.
const keyDigits = 16

// MessageName is Weiban's message id where it can be part of an event id as it
// is, else a hash of it.
func MessageName(id string) string { return safe(id, MaxID-1-keyDigits) }

// CallbackID is the event id of a callback: Weiban's message id and the
// beginning of the content's intake key, since that Weiban's ids are unique is
// nowhere documented.
func CallbackID(id, intakeKey string) string {
	return MessageName(id) + "." + intakeKey[:keyDigits]
}

// SplitCallbackID takes apart what [CallbackID] made; ok is false for the id of
// an event of another kind, or of one that was stored before ids had a key.
func SplitCallbackID(event string) (id, key string, ok bool) {
	at := len(event) - 1 - keyDigits
	if at < 1 || event[at] != '.' || strings.Trim(event[at+1:], "0123456789abcdef") != "" {
		return "", "", false
	}
	return event[:at], event[at+1:], true
}

// Hash is the lower-case hex SHA-256 of b.
func Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// MessageID is the Nats-Msg-Id of an event: event ids are the tenant's, message
// ids the stream's. A replay (n > 0) takes a new one and keeps the event id.
func MessageID(tenant, eventID string, n int) string {
	id := tenant + "/" + eventID
	if n > 0 {
		id += "/r" + strconv.Itoa(n)
	}
	return id
}
