package weiban

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
)

// Received is a callback that verified, as it is to be published.
type Received struct {
	// Notice is what was read. Its Event is "" where the plaintext says nothing of
	// an order, and its Key begins with [Unnumbered] where it is about one that
	// cannot be told.
	Notice

	EventID   string // of its CloudEvent; the same for a redelivery
	IntakeKey string // the same for two messages that say the same at another time; "" where they cannot be compared

	// Data is JSON that keeps to the schema of the event's type where that can be
	// had, with what differs from the plaintext under its member original, or the
	// plaintext itself. NotJSON says that it is no JSON object.
	Data    []byte
	NotJSON bool
	Tree    any // Data, decoded; nil where NotJSON

	Repaired   string // what was odd, e.g. "bom,duplicate"
	Unnumbered string // why its order cannot be told, "" if it can
	Cause      error  // why the plaintext was not understood, nil if it was
}

// Receive reads a plaintext that verified. It always gives something to publish:
// to the order that it names, under a key of its own where it is about an order
// that cannot be told, or as one that is about none.
func Receive(plaintext []byte) Received {
	d, err := readPlain(plaintext)
	members, ok := d.tree.(map[string]any)
	if err != nil || !ok {
		return unread(plaintext, d, err)
	}
	n, fault := notice(members)
	r := Received{Notice: n, Unnumbered: fault}
	if n.Event == "" {
		if r.Event = about(d.text); r.Event == "" {
			return unread(plaintext, d, nil)
		}
		r.Noun = events.NounOf(r.Event)
	}
	r.IntakeKey = intakeKey(members, d.lost)
	r.identify(members["create_time"])
	if fault != "" {
		r.Key = unnumbered(r.EventID)
	}
	if r.Data, err = settle(plaintext, d, members, r.Notice); err != nil {
		// Only a value that no reader makes can do that.
		return unread(plaintext, d, err)
	}
	r.Tree, r.Repaired = members, strings.Join(d.odd, ",")
	return r
}

// identify names the event. A content key that has no time in it, since what was sent
// as one was not read when such keys were first made, would make one of two changes
// that say the same: it gets the time that is read now, or goes where there is none and
// an id tells the two apart.
func (r *Received) identify(created any) {
	named := r.ID != r.ContentKey
	if keyMillis(created) == 0 {
		key := ""
		if !r.CreateTime.IsZero() {
			key = "t" + r.ContentKey[1:] + "-" + strconv.FormatInt(r.CreateTime.UnixMilli(), 36)
		}
		if named || key != "" {
			r.ContentKey = key
		}
		if !named {
			r.ID = r.ContentKey
		}
	}
	r.EventID = r.ID
	if named {
		r.EventID = events.CallbackID(r.ID, r.IntakeKey)
	}
}

// Callback is what the event is built of; corpID is Weiban's tenant id from the
// configuration.
func (r Received) Callback(tenant, corpID string) events.Callback {
	return events.Callback{
		Tenant: tenant, CorpID: corpID, ID: r.EventID, Event: r.Event, Status: r.Status, Key: r.Key, Time: r.CreateTime,
		Origin: events.FromCallback, Data: r.Data, NotJSON: r.NotJSON,
		ContentKey: r.ContentKey, IntakeKey: r.IntakeKey, Repaired: r.Repaired, Unnumbered: r.Unnumbered,
	}
}

func unnumbered(eventID string) string { return Unnumbered + events.Hash([]byte(eventID))[:32] }

// unread is a plaintext without an event: known by its bytes, and about an order
// where it mentions one.
func unread(plaintext []byte, d document, err error) Received {
	id := "raw-" + events.Hash(plaintext)
	r := Received{
		Notice: Notice{ID: id, Key: id}, EventID: id, Data: plaintext,
		Repaired: strings.Join(d.odd, ","), Cause: err, NotJSON: err != nil || len(d.odd) > 0,
	}
	if r.Event = about(d.text); r.Event != "" {
		r.Noun, r.Status, r.Key, r.NotJSON = events.NounOf(r.Event), UnknownStatus, unnumbered(id), true
		r.Unnumbered = "the plaintext is no JSON object"
	}
	if !r.NotJSON {
		r.Tree = d.tree
	}
	return r
}

// maxWhole is the longest plaintext in bytes that stands whole beside what was
// read of it.
const maxWhole = 64 << 10

// settle makes the data of a callback's event: the text as it is where nothing
// in it had to change. It changes members.
func settle(plaintext []byte, d document, members map[string]any, n Notice) ([]byte, error) {
	f := fitter{original: map[string]any{}}
	if len(d.odd) > 0 {
		f.plain("", members)
		f.changed = slices.Contains(d.odd, oddDuplicate) || f.changed
	}
	if d.altered() && len(plaintext) <= maxWhole {
		f.original[""] = base64.StdEncoding.EncodeToString(plaintext)
	}
	f.callback(members, n)
	if len(f.original) == 0 && !f.changed {
		return d.text, nil
	}
	if len(f.original) > 0 {
		members[originals] = f.original
	}
	return events.JSON(members)
}

// altered reports whether the text says in other bytes what the plaintext said.
func (d *document) altered() bool {
	return slices.ContainsFunc(d.odd, func(word string) bool {
		return word == oddUTF16 || word == oddGBK || word == oddUTF8 || word == oddSurrogate
	})
}

// AsSent is the data of a callback's event with the members as Weiban sent them.
// What a repair of bytes changed stays repaired, and data that is not an object
// stays as it is.
func AsSent(data []byte) []byte {
	d, err := readPlain(data)
	members, ok := d.tree.(map[string]any)
	if err != nil || !ok || len(d.odd) > 0 {
		return data
	}
	kept, ok := members[originals].(map[string]any)
	if !ok {
		return data
	}
	delete(members, originals)
	pointers := sortedNames(kept)
	slices.Reverse(pointers) // what is inside a member before the member
	for _, pointer := range pointers {
		if pointer != "" {
			putBack(members, strings.Split(pointer, "/")[1:], kept[pointer])
		}
	}
	sent, err := events.JSON(members)
	if err != nil {
		return data
	}
	return sent
}

func putBack(in any, path []string, v any) {
	members, ok := in.(map[string]any)
	switch name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0]); {
	case !ok: // inside a list: that is never fitted
	case len(path) == 1:
		members[name] = v
	default:
		putBack(members[name], path[1:], v)
	}
}
