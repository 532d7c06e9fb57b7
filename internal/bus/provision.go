package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Provision creates the streams and buckets, and brings existing ones to the wanted
// limits; with [Options].KeepLimits it logs the differences and changes nothing. It
// may be called again, and by several processes at once. A field that cannot be
// changed, or whose change would delete messages, is an error that names the stream,
// the field, its value and the wanted value.
func (b *Bus) Provision(ctx context.Context) error {
	wanted, err := configs(b.limits, b.replicas)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	for _, want := range wanted {
		if err := (provisioner{b}).provision(ctx, want); err != nil {
			return fmt.Errorf("provision %s: %w", want.Name, err)
		}
	}
	return nil
}

// provisioner brings single streams to their configurations.
type provisioner struct{ bus *Bus }

// A race that is lost against another process costs one more try.
const provisionTries = 3

func (p provisioner) provision(ctx context.Context, want jetstream.StreamConfig) error {
	var err error
	for range provisionTries {
		var have *jetstream.StreamInfo
		have, err = p.bus.streamInfo(ctx, want.Name)
		if err == nil {
			return p.align(ctx, have, want)
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			break
		}
		if err = p.create(ctx, want); err == nil {
			return nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			break
		}
	}
	return explain(classify(err))
}

func (p provisioner) create(ctx context.Context, want jetstream.StreamConfig) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	want.Metadata = map[string]string{lifeKey: rand.Text()}
	_, err := p.bus.js.CreateStream(ctx, want)
	return err
}

func (b *Bus) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// align changes an existing stream to the wanted configuration.
func (p provisioner) align(ctx context.Context, have *jetstream.StreamInfo, want jetstream.StreamConfig) error {
	drift, err := compare(have.Config, want)
	if err == nil && p.bus.keep {
		drift, err = p.keepLimits(have.Config, want, drift)
	}
	if err != nil || len(drift) == 0 {
		return err
	}
	if used := have.State.Bytes; want.MaxBytes > 0 && used > uint64(want.MaxBytes) {
		return fmt.Errorf("max bytes: %d are in use, want a limit of %d, which would throw messages away", used, want.MaxBytes)
	}
	merged := have.Config
	for _, f := range drift {
		f.set(&merged, want)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if _, err := p.bus.js.UpdateStream(ctx, merged); err != nil {
		return explain(classify(err))
	}
	p.bus.log.Info("stream changed", "stream", want.Name, "fields", describe(drift, have.Config, want, " → "))
	return nil
}

// keepLimits takes the fields that belong to another program out of the fields to
// change. About replication the programs must agree: with the wrong number a program
// would read from a copy what it must read from the leader.
func (p provisioner) keepLimits(have, want config, drift []field) (rest []field, err error) {
	var kept, copies []field
	for _, f := range drift {
		switch f.scope {
		case limit:
			kept = append(kept, f)
		case replication:
			copies = append(copies, f)
		default:
			rest = append(rest, f)
		}
	}
	if len(copies) > 0 {
		return nil, fmt.Errorf("another configuration made it: %s; the programs must agree, and the one that keeps the limits changes it", describe(copies, have, want, ", here "))
	}
	if len(kept) > 0 {
		p.bus.log.Warn("stream has other limits than this configuration and keeps them", "stream", want.Name, "fields", describe(kept, have, want, ", here "))
	}
	return rest, nil
}

func describe(fields []field, have, want config, between string) string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, fmt.Sprintf("%s %v%s%v", f.name, f.get(have), between, f.get(want)))
	}
	return strings.Join(names, "; ")
}

// field is one setting of a stream that the bridge decides.
type field struct {
	name  string
	fixed bool // it cannot be changed without losing messages, or not at all
	scope scope
	get   func(jetstream.StreamConfig) any
	set   func(to *jetstream.StreamConfig, from jetstream.StreamConfig)
}

// scope says which programs want the same value of a field.
type scope int

const (
	everywhere  scope = iota // all programs of one version
	limit                    // the program that sets the limits; others may differ
	replication              // the program that sets the limits; others must agree
)

type config = jetstream.StreamConfig

func fields() []field {
	return []field{
		{"storage", true, everywhere, func(c config) any { return c.Storage }, nil},
		{"retention", true, everywhere, func(c config) any { return c.Retention }, nil},
		{"max messages per subject", true, everywhere, func(c config) any { return c.MaxMsgsPerSubject }, nil},
		{"deny delete", true, everywhere, func(c config) any { return c.DenyDelete }, nil},
		{"subjects", false, everywhere, func(c config) any { return subjectList(c) }, func(to *config, c config) { to.Subjects = c.Subjects }},
		{"discard", false, everywhere, func(c config) any { return c.Discard }, func(to *config, c config) { to.Discard = c.Discard }},
		{"max age", false, limit, func(c config) any { return c.MaxAge }, func(to *config, c config) { to.MaxAge = c.MaxAge }},
		{"max bytes", false, limit, func(c config) any { return c.MaxBytes }, func(to *config, c config) { to.MaxBytes = c.MaxBytes }},
		{"duplicate window", false, limit, func(c config) any { return c.Duplicates }, func(to *config, c config) { to.Duplicates = c.Duplicates }},
		{"replicas", false, replication, func(c config) any { return c.Replicas }, func(to *config, c config) { to.Replicas = c.Replicas }},
		{"allow direct", false, replication, func(c config) any { return c.AllowDirect }, func(to *config, c config) { to.AllowDirect = c.AllowDirect }},
		{"allow rollup", false, everywhere, func(c config) any { return c.AllowRollup }, func(to *config, c config) { to.AllowRollup = c.AllowRollup }},
		{"allow message TTL", false, everywhere, func(c config) any { return c.AllowMsgTTL }, func(to *config, c config) { to.AllowMsgTTL = c.AllowMsgTTL }},
	}
}

// compare returns the fields to change, or an error that lists those that cannot be
// changed.
func compare(have, want jetstream.StreamConfig) ([]field, error) {
	var drift []field
	var errs []error
	for _, f := range fields() {
		h, w := f.get(have), f.get(want)
		switch {
		case h == w:
		case f.fixed:
			errs = append(errs, fmt.Errorf("%s cannot be changed: have %v, want %v", f.name, h, w))
		default:
			drift = append(drift, f)
		}
	}
	return drift, errors.Join(errs...)
}

func subjectList(c jetstream.StreamConfig) string {
	s := slices.Sorted(slices.Values(c.Subjects))
	return strings.Join(s, " ")
}

// explain says what an operator can do about a refusal.
func explain(err error) error {
	switch code(err) {
	case codeStorageExceeded, codeAccountLimit, codeStreamMaxBytes:
		return fmt.Errorf("%w (the size limits of all streams and buckets together exceed what the server may store: raise its max store or lower the limits)", err)
	case 10005:
		return fmt.Errorf("%w (the cluster has too few servers for so many replicas, or too little room on them: lower replicas, or add servers)", err)
	case 10074:
		return fmt.Errorf("%w (the server is not part of a cluster: set replicas to 1)", err)
	case 10065:
		return fmt.Errorf("%w (a stream that is not the bridge's takes the same subjects)", err)
	}
	return err
}
