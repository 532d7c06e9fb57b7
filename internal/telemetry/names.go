package telemetry

import "strings"

// Metric is one row of the list of everything that the bridge measures.
type Metric struct {
	// Name is the instrument's, as code gives it to a meter.
	Name string
	// Kind is counter, gauge or histogram.
	Kind string
	// Unit in UCUM: s, By, or in braces what is counted.
	Unit string
	// Labels are the only ones it may have; none of them ever holds an order, an event or a person.
	Labels []string
	// Meaning is one line for a person.
	Meaning string
}

// Metrics is the one list of metrics. What is not in it is a library's.
func Metrics() []Metric {
	return []Metric{
		{"gongdan.ingest.callbacks", "counter", "{callback}", []string{"tenant", "result"}, "requests to the callback endpoint, by result"},
		{"gongdan.ingest.duration", "histogram", "s", []string{"tenant", "result"}, "from a callback's first byte to its answer"},
		{"gongdan.ingest.evictions", "counter", "{connection}", []string{"bound"}, "connections closed at a bound before their request was there: `connections`, `bytes`"},
		{"gongdan.ingest.alerts", "counter", "{alert}", []string{"alarm"}, "what people must look at, by alarm: `room`, `store`, `unnumbered`, `reused_id`"},
		{"gongdan.dispatch.attempts", "counter", "{attempt}", []string{"tenant", "stage", "noun", "outcome", "kind"}, "attempts of a stage, by outcome and kind of failure"},
		{"gongdan.dispatch.duration", "histogram", "s", []string{"tenant", "stage", "noun"}, "time of one attempt in a stage, quick tries included"},
		{"gongdan.dispatch.alerts", "counter", "{alert}", []string{"tenant", "alarm"}, "what people must look at, by alarm"},
		{"gongdan.dispatch.rebuilds", "counter", "{consumer}", []string{"tenant", "stage", "noun"}, "consumers that made no progress and were rebuilt"},
		{"gongdan.drift", "counter", "{document}", []string{"vendor", "document", "what", "path"}, "documents of a vendor that differ from what the bridge knows of them, by member"},
		{"gongdan.dispatch.waiting", "gauge", "{order}", []string{"tenant", "stage", "noun", "why"}, "orders of the tenants owned here that wait, by what for; `letter` is a person's word"},
		{"gongdan.dead.letters", "gauge", "{letter}", nil, "open dead letters of all tenants; every replica tells the same"},
		{"gongdan.store.used", "gauge", "1", []string{"store"}, "part of its size limit that a stream or bucket takes; every replica tells the same"},
		{"gongdan.mapping.refused", "gauge", "{mapping}", []string{"tenant"}, "1 where a changed mapping was refused and the old one stays in force, else 0"},
		{"gongdan.vendor.calls", "counter", "", []string{"vendor", "api", "kind"}, "calls to a vendor by outcome, refused ones included"},
		{"gongdan.vendor.call.duration", "histogram", "s", []string{"vendor", "api"}, "time on the wire of a call to a vendor"},
		{"gongdan.vendor.unlisted_codes", "counter", "", []string{"vendor", "api"}, "answers whose code no table lists"},
	}
}

// Exposed is the metric's name on /metrics, for dashboards and alerts.
func (m Metric) Exposed() string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	case "1":
		name += "_ratio"
	}
	if m.Kind == "counter" {
		name += "_total"
	}
	return name
}
