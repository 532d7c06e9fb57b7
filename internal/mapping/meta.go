package mapping

import "gongdan-bridge/internal/events"

// MetaOf is what a mapping is told of an enriched event beside its data: the same when
// the event is handled and when the mapping is only tried.
func MetaOf(ev events.Event, route events.Route, tenant string, n events.Noun) Meta {
	return Meta{
		ID: ev.ID(), Tenant: tenant, Noun: n, Status: route.Status, Time: ev.Time(),
		Position: events.Extension(ev, events.ExtPosition), Origin: events.Extension(ev, events.ExtOrigin),
	}
}
