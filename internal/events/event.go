package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"go.opentelemetry.io/otel/propagation"
)

// Event is a CloudEvent 1.0. Its id, type and source are plain ASCII.
type Event = event.Event

// ContentType is that of every event on the bus: structured JSON.
const ContentType = "application/cloudevents+json"

// Extension attributes beside those of CloudEvents itself.
const (
	ExtTenant    = "tenant"
	ExtCausation = "causationid" // id of the event that this one follows from
	ExtPosition  = "position"    // see Position
	ExtOrigin    = "origin"      // see Origin
	ExtArrived   = "arrived"     // when a callback came, RFC 3339; only where Callback.Arrived is set
	ExtParent    = "traceparent" // the starting trace, for life
	ExtState     = "tracestate"

	// ExtContent and ExtIntake are the two keys of a callback's content, made of
	// the plaintext as it came: what an effect is known by, and what a redelivery
	// is known by.
	ExtContent = "contentkey"
	ExtIntake  = "intakekey"

	// ExtRepaired says what was odd about a plaintext and could be read all the
	// same, as words with commas between, such as "bom,gbk".
	ExtRepaired = "repaired"

	// ExtUnnumbered says why the order of a callback cannot be told. Its subject's
	// key is then made up, and no stage can do anything with it.
	ExtUnnumbered = "unnumbered"
)

// What a callback is called that says nothing of an order.
const unrecognised, raw = "unrecognised", "raw"

// Callback is what [NewCallback] makes an event of.
type Callback struct {
	Tenant string
	CorpID string // Weiban's tenant id, from the configuration
	ID     string // see CallbackID
	Event  string // Weiban's own word, "" if the plaintext was not understood
	Status string
	Key    string // order number or opportunity id
	Time   time.Time
	// Arrived is when it came, where that stands in its position in place of Time:
	// Time is absent, or too far ahead of the arrival to be believed. Else zero.
	Arrived time.Time
	Origin  Origin
	Data    []byte // JSON, unless NotJSON

	NotJSON    bool   // Data travels as data_base64
	ContentKey string // see ExtContent, and so on
	IntakeKey  string
	Repaired   string
	Unnumbered string
}

// NewCallback builds the event of a verified callback. A plaintext that was not
// understood becomes com.weibanzhushou.unrecognised.raw.v1. The trace of ctx
// becomes its starting trace.
func NewCallback(ctx context.Context, c Callback) (Event, error) {
	e := event.New()
	e.SetID(SafeID(c.ID))
	e.SetSource("urn:weiban:corp:" + Token(c.CorpID))
	e.SetType(CallbackType(c.Event, c.Status))
	if c.Key != "" {
		e.SetSubject(c.Key)
	}
	if !c.Time.IsZero() {
		e.SetTime(c.Time.UTC())
	}
	e.SetExtension(ExtTenant, c.Tenant)
	e.SetExtension(ExtOrigin, string(c.Origin))
	arrived := ""
	if !c.Arrived.IsZero() {
		arrived = c.Arrived.UTC().Format(time.RFC3339Nano)
	}
	for name, text := range map[string]string{
		ExtContent: c.ContentKey, ExtIntake: c.IntakeKey, ExtRepaired: c.Repaired, ExtUnnumbered: c.Unnumbered, ExtArrived: arrived,
	} {
		if text != "" {
			e.SetExtension(name, text)
		}
	}
	stampTrace(ctx, &e)
	e.SetDataContentType(event.ApplicationJSON)
	e.DataEncoded = c.Data
	if c.NotJSON {
		e.SetDataContentType("application/octet-stream")
		e.DataBase64 = true
	}
	return e, valid(e)
}

// CallbackType is the event type of a callback; event and status are Weiban's
// own words, event is "" where the plaintext was not understood.
func CallbackType(event, status string) string {
	event, status = callbackWords(event, status)
	return "com.weibanzhushou." + Token(event) + "." + Token(status) + ".v1"
}

// callbackWords are the words in the type and the subject of a callback. Weiban's
// own event "unrecognised" gets an underscore more, and so do the names that look
// like the result, so that none of them is ours.
func callbackWords(event, status string) (string, string) {
	switch {
	case event == "":
		return unrecognised, raw
	case strings.TrimRight(event, "_") == unrecognised:
		return event + "_", status
	}
	return event, status
}

// EnrichedType is the event type of an enriched order.
func EnrichedType(n Noun) string { return "com.weibanzhushou." + string(n) + ".enriched.v1" }

// OutcomeType is the event type of an outcome in Kingdee.
func OutcomeType(o Outcome) string { return "com.kingdee.handle_order." + string(o) + ".v1" }

// NewEnriched derives the enriched event from its callback's event. n is 0, or
// the replay's number; position is the callback's, see [Position].
func NewEnriched(parent Event, n Noun, key string, replay int, position string, data Enriched) (Event, error) {
	raw, err := JSON(data)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: enrich: %w", parent.ID(), err)
	}
	e := derive(parent, "enrich", replay)
	e.SetSource(parent.Source())
	e.SetType(EnrichedType(n))
	e.SetSubject(key)
	e.SetTime(parent.Time())
	e.SetExtension(ExtPosition, position)
	e.DataEncoded = raw
	return e, valid(e)
}

// HandleOutcome is the data of an outcome event.
type HandleOutcome struct {
	Outcome     Outcome         `json:"outcome"`
	Stage       Stage           `json:"stage"`
	Noun        Noun            `json:"noun"`
	Key         string          `json:"key"`
	Reason      string          `json:"reason,omitempty"`
	DuplicateOf string          `json:"duplicate_of,omitempty"`
	Rule        string          `json:"rule,omitempty"`
	Mapping     string          `json:"mapping,omitempty"`
	Bill        *BillRef        `json:"bill,omitempty"`
	Status      string          `json:"status,omitempty"`
	Marker      string          `json:"marker,omitempty"`
	DryRun      bool            `json:"dry_run,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	Letter      *LetterRef      `json:"letter,omitempty"`

	// What the effect is known by, so that its record can be made again from this.
	Identities  []string `json:"identities,omitempty"`
	Generation  int      `json:"generation,omitempty"`
	Application int      `json:"application,omitempty"`
	Like        string   `json:"like,omitempty"` // hash of start, end, handler and status
	Sends       int      `json:"sends,omitempty"`
}

// BillRef names a Kingdee service work order (服务工单).
type BillRef struct {
	ID      string `json:"id,omitempty"` // 服务工单单据id
	OrderNo string `json:"orderNo"`      // 服务工单单据编码
}

// LetterRef names a dead letter.
type LetterRef struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
}

// NewOutcome derives an outcome event from the event that ended. account is
// Kingdee's account set id; n is 0, or the replay's number; at is the moment of
// the outcome.
func NewOutcome(parent Event, account string, replay int, at time.Time, o HandleOutcome) (Event, error) {
	raw, err := JSON(o)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: outcome: %w", parent.ID(), err)
	}
	e := derive(parent, string(o.Outcome), replay)
	e.SetSource("urn:kingdee:account:" + Token(account))
	e.SetType(OutcomeType(o.Outcome))
	e.SetSubject(o.Key)
	e.SetTime(at.UTC())
	e.DataEncoded = raw
	return e, valid(e)
}

// derive begins an event that follows from parent and stays on its trace.
func derive(parent Event, step string, n int) Event {
	e := event.New()
	e.SetID(parent.ID() + "~" + step + "~" + strconv.Itoa(n))
	e.SetDataContentType(event.ApplicationJSON)
	e.SetExtension(ExtCausation, parent.ID())
	for _, x := range []string{ExtTenant, ExtPosition, ExtOrigin, ExtArrived, ExtParent, ExtState, ExtContent, ExtIntake} {
		if v := Extension(parent, x); v != "" {
			e.SetExtension(x, v)
		}
	}
	return e
}

// Extension is the text of an extension attribute, "" if it is absent.
func Extension(e Event, name string) string {
	v, ok := e.Extensions()[name]
	if !ok {
		return ""
	}
	s, err := types.Format(v)
	if err != nil {
		return ""
	}
	return s
}

// Position orders the events of one order: when it happened in milliseconds, see
// [Happened], then the callback's sequence in its stream. Positions compare as text.
func Position(happened time.Time, sequence uint64) string {
	return fmt.Sprintf("%015d-%020d", max(happened.UnixMilli(), 0), sequence)
}

// MaxFuture is how far a vendor's time may lie ahead of the arrival, by default.
const MaxFuture = 5 * time.Minute

// Happened is the time that a callback's event has in its position: the vendor's,
// or that of the arrival where the event says so. An event from before events said
// so is held against the time at which it was stored; a zero ahead is [MaxFuture].
func Happened(e Event, vendor, stored time.Time, ahead time.Duration) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, Extension(e, ExtArrived)); err == nil {
		return at
	}
	if ahead <= 0 {
		ahead = MaxFuture
	}
	if !stored.IsZero() && vendor.After(stored.Add(ahead)) {
		return stored
	}
	return vendor
}

func stampTrace(ctx context.Context, e *Event) {
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	for _, k := range []string{ExtParent, ExtState} {
		if v := c[k]; v != "" {
			e.SetExtension(k, v)
		}
	}
}

func valid(e Event) error {
	if err := e.Validate(); err != nil {
		return fmt.Errorf("event %s: %w", e.ID(), err)
	}
	return nil
}
