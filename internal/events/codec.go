package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

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
	return Marshal(e)
}

// Marshal returns the event's structured JSON without a look at any schema. Its
// data, which must be JSON if it is not base64, stays as it is to the byte.
func Marshal(e Event) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(e.DataEncoded) + 1024)
	if err := event.WriteJson(&e, &b); err != nil {
		return nil, fmt.Errorf("event %s: encode: %w", e.ID(), err)
	}
	return b.Bytes(), nil
}

// JSON is a value as encoding/json writes it, but without the escapes that HTML and
// JavaScript need. Raw JSON in it keeps all of its characters.
func JSON(v any) ([]byte, error) { return jsonv2.Marshal(v, plainV1) }

var plainV1 = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsontext.EscapeForHTML(false), jsontext.EscapeForJS(false),
	jsonv2.WithMarshalers(jsonv2.MarshalToFunc(writeNumber)))

// writeNumber writes a number that was kept as its text, which is a string to the
// library.
func writeNumber(enc *jsontext.Encoder, n json.Number) error {
	if n == "" {
		n = "0"
	}
	return enc.WriteValue(jsontext.Value(n))
}

// EncodeAny is Encode of an event that goes on whatever its data is: misfit says how
// the data breaks the schema of its type, nil where it does not.
func (c *Codec) EncodeAny(e Event) (b []byte, misfit, err error) {
	b, err = c.Encode(e)
	if faults := (*schemas.Faults)(nil); errors.As(err, &faults) {
		misfit = faults
		b, err = Marshal(e)
	}
	if err != nil {
		return nil, nil, err
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
	name, err := c.schema(e.Type())
	if err != nil {
		return err
	}
	return c.set.CheckJSON(name, e.Data())
}

// CheckData holds the decoded data of an event of a type to its schema, see
// [schemas.Set.Check].
func (c *Codec) CheckData(eventType string, data any) error {
	name, err := c.schema(eventType)
	if err != nil {
		return err
	}
	return c.set.Check(name, data)
}

func (c *Codec) schema(eventType string) (string, error) {
	switch {
	case c.set.Has(eventType):
		return eventType, nil
	case strings.HasPrefix(eventType, "com.weibanzhushou."):
		return "weiban-callback", nil
	}
	return "", fmt.Errorf("type %s has no schema", eventType)
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
	if err := e.UnmarshalJSON(b); err != nil {
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
