package orders

import (
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// ID names one order of a tenant: all events that have one noun and one key.
type ID struct {
	Noun events.Noun
	Key  string
}

// Path is the order's part of a bucket key: noun, then key.
func (k ID) Path() string { return string(k.Noun) + "." + events.Token(k.Key) }

// Queue is one stage of one noun. Each queue has its own consumer and its own slots, so
// that a blocked vendor API stops no other queue.
type Queue struct {
	Stage events.Stage
	Noun  events.Noun
}

// Queues are all queues of a tenant.
var Queues = [...]Queue{
	{events.Enrich, events.WorkOrder},
	{events.Handle, events.WorkOrder},
	{events.Enrich, events.Opportunity},
	{events.Handle, events.Opportunity},
}

// StreamOf is the stream that a stage reads.
func StreamOf(s events.Stage) string {
	if s == events.Enrich {
		return bus.Callbacks
	}
	return bus.Events
}
