package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Exporter passes spans on redacted: name, status, attributes, events and links.
func (r *Redactor) Exporter(next sdktrace.SpanExporter) sdktrace.SpanExporter {
	return redactingExporter{r, next}
}

type redactingExporter struct {
	r    *Redactor
	next sdktrace.SpanExporter
}

func (e redactingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		clean[i] = e.r.span(span)
	}
	return e.next.ExportSpans(ctx, clean)
}

func (e redactingExporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }

// redactedSpan is a span with redacted parts.
type redactedSpan struct {
	sdktrace.ReadOnlySpan
	name       string
	status     sdktrace.Status
	attributes []attribute.KeyValue
	events     []sdktrace.Event
	links      []sdktrace.Link
}

func (s redactedSpan) Name() string                     { return s.name }
func (s redactedSpan) Status() sdktrace.Status          { return s.status }
func (s redactedSpan) Attributes() []attribute.KeyValue { return s.attributes }
func (s redactedSpan) Events() []sdktrace.Event         { return s.events }
func (s redactedSpan) Links() []sdktrace.Link           { return s.links }

func (r *Redactor) span(span sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	clean := redactedSpan{
		ReadOnlySpan: span, name: r.Text(span.Name()), status: span.Status(),
		attributes: r.attributes(span.Attributes()), events: slices.Clone(span.Events()), links: slices.Clone(span.Links()),
	}
	clean.status.Description = r.Text(clean.status.Description)
	for i := range clean.events {
		clean.events[i].Name = r.Text(clean.events[i].Name)
		clean.events[i].Attributes = r.attributes(clean.events[i].Attributes)
	}
	for i := range clean.links {
		clean.links[i].Attributes = r.attributes(clean.links[i].Attributes)
	}
	return clean
}

// attributes is the same slice where nothing had to be cut; the span's own is never written to.
func (r *Redactor) attributes(attributes []attribute.KeyValue) []attribute.KeyValue {
	clean, copied := attributes, false
	for i, a := range attributes {
		value, changed := r.value(a.Value)
		if !changed {
			continue
		}
		if !copied {
			clean, copied = slices.Clone(attributes), true
		}
		clean[i].Value = value
	}
	return clean
}

func (r *Redactor) value(v attribute.Value) (attribute.Value, bool) {
	switch v.Type() {
	case attribute.STRING:
		text := r.Text(v.AsString())
		return attribute.StringValue(text), text != v.AsString()
	case attribute.STRINGSLICE:
		texts, changed := v.AsStringSlice(), false
		for i, text := range texts {
			texts[i] = r.Text(text)
			changed = changed || texts[i] != text
		}
		return attribute.StringSliceValue(texts), changed
	case attribute.BYTESLICE:
		b := v.AsByteSlice()
		clean := r.Bytes(b)
		return attribute.ByteSliceValue(clean), string(clean) != string(b)
	case attribute.SLICE:
		values, changed := v.AsSlice(), false
		for i, value := range values {
			clean, cut := r.value(value)
			values[i], changed = clean, changed || cut
		}
		return attribute.SliceValue(values...), changed
	case attribute.MAP:
		pairs := v.AsMap()
		changed := false
		for i, p := range pairs {
			clean, cut := r.value(p.Value)
			pairs[i].Value, changed = clean, changed || cut
		}
		return attribute.MapValue(pairs...), changed
	default:
		return v, false
	}
}
