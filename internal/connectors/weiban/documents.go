package weiban

import (
	"reflect"
	"slices"
	"strings"

	"gongdan-bridge/internal/drift"
)

// Documents is what the types know of Weiban's documents, so that what Weiban
// adds to them, or takes away, is noticed.
//
// A detail is expected to have every member: the pages' examples have all. Of a
// callback the envelope's documented members are expected, and of a work order's
// msg_data what all five pages have. Everything else may be absent.
type Documents struct {
	WorkOrder   *drift.Tree // the member work_order of its detail
	Opportunity *drift.Tree // the member opportunity of its detail

	order, opportunity, other, raw *drift.Tree // callbacks
}

// NewDocuments reads the types.
func NewDocuments() Documents {
	needs := func(paths ...string) func(string) bool {
		return func(path string) bool { return !slices.Contains(paths, path) }
	}
	envelope := []string{"id", "corp_id", "create_time", "type", "event", "status", "msg_data"}
	callback := drift.Options{
		Vendor: "weiban", Document: "callback", Type: reflect.TypeFor[Callback](), Forms: forms, Optional: needs(envelope...),
	}
	order, other := callback, callback
	order.Optional = needs(append(envelope, "msg_data.order_no", "msg_data.staff_id")...)
	// Weiban documents no content of other events.
	other.Unknown = func(path string) bool { return path == "msg_data" }
	return Documents{
		WorkOrder:   drift.New(drift.Options{Vendor: "weiban", Document: "work_order", Type: reflect.TypeFor[WorkOrder](), Forms: forms}),
		Opportunity: drift.New(drift.Options{Vendor: "weiban", Document: "opportunity", Type: reflect.TypeFor[Opportunity](), Forms: forms}),
		order:       drift.New(order), opportunity: drift.New(callback), other: drift.New(other),
		raw: drift.Nothing("weiban", "raw"),
	}
}

// Callback is what is known of the callbacks of an event; "" is one that is not
// understood.
func (d Documents) Callback(event string) *drift.Tree {
	switch event {
	case "":
		return d.raw
	case EventWorkOrder:
		return d.order
	case EventOpportunity:
		return d.opportunity
	default:
		return d.other
	}
}

// forms are what the scalars read as it is. The pages declare no type for the
// value of a property and for a component's values, and show options of both
// kinds.
func forms(path string, t reflect.Type) drift.Forms {
	switch path {
	case "property_list[].value", "property_list[].options", "work_order_component_record_list[].values":
		return drift.Any
	}
	switch t {
	case reflect.TypeFor[ID](), reflect.TypeFor[Unix]():
		return drift.Text | drift.Number
	case reflect.TypeFor[Text](), reflect.TypeFor[Decimal](), reflect.TypeFor[Int](), reflect.TypeFor[Flag]():
		return drift.Text | drift.Number | drift.Bool
	case reflect.TypeFor[Texts](), reflect.TypeFor[Content](), reflect.TypeFor[Attachments](), reflect.TypeFor[Attachment]():
		return drift.Text
	}
	if strings.HasSuffix(path, "[]") && t.Kind() != reflect.Struct { // of a list of texts
		return drift.Text | drift.Number | drift.Bool
	}
	return 0
}
