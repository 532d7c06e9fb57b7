package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"gongdan-bridge/internal/strictjson"
	"gongdan-bridge/schemas"
)

// ErrNotEvent is the class of everything that Decode refuses.
var ErrNotEvent = errors.New("not a CloudEvent")

// Codec encodes and decodes events and holds them to their schemas.
type Codec struct{ set *schemas.Set }

// NewCodec returns a codec that checks data against set.
func NewCodec(set *schemas.Set) *Codec { return &Codec{set: set} }

// Encode checks the event and its data and returns its structured JSON. A
// callback of a kind that has no schema of its own is held to the generic one.
func (c *Codec) Encode(e Event) ([]byte, error) {
	if err := c.check(e); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID(), err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event %s: encode: %w", e.ID(), err)
	}
	return b, nil
}

// EncodeAny is Encode of an event that goes on whatever its data is: misfit says how
// the data breaks the schema of its type, nil where it does not.
func (c *Codec) EncodeAny(e Event) (b []byte, misfit, err error) {
	b, err = c.Encode(e)
	if faults := (*schemas.Faults)(nil); errors.As(err, &faults) {
		misfit = faults
		b, err = json.Marshal(e)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("event %s: encode: %w", e.ID(), err)
	}
	return b, misfit, nil
}

// Conforms reports whether the event's data satisfies the schema of its type.
func (c *Codec) Conforms(e Event) bool { return c.check(e) == nil }

func (c *Codec) check(e Event) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if e.DataBase64 {
		return nil
	}
	name := e.Type()
	if !c.set.Has(name) {
		if !strings.HasPrefix(name, "com.weibanzhushou.") {
			return fmt.Errorf("type %s has no schema", name)
		}
		name = "weiban-callback"
	}
	return c.set.CheckJSON(name, e.Data())
}

// Decode reads a structured event. Errors are of the class [ErrNotEvent] and
// never hold the data.
func Decode(contentType string, b []byte) (Event, error) {
	mt, _, err := mime.ParseMediaType(contentType)
	if err != nil || mt != ContentType {
		return Event{}, fmt.Errorf("%w: content type is not %s", ErrNotEvent, ContentType)
	}
	if err := strictjson.Check(b); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrNotEvent, err)
	}
	e := event.New()
	if err := json.Unmarshal(b, &e); err != nil {
		// The SDK's text can quote the input.
		return Event{}, fmt.Errorf("%w: attributes cannot be read", ErrNotEvent)
	}
	if err := e.Validate(); err != nil {
		return Event{}, fmt.Errorf("%w: an attribute is missing or malformed", ErrNotEvent)
	}
	return e, nil
}

// DecodeEnriched reads the data of an enriched event.
func DecodeEnriched(e Event) (Enriched, error) {
	var d Enriched
	if err := strictjson.Unmarshal(e.Data(), &d); err != nil {
		return Enriched{}, fmt.Errorf("event %s: %w", e.ID(), err)
	}
	return d, nil
}
