// Package operate holds every act of a person, once: replay, discard, settle, pause,
// resume, repair a word, preview, suggest, drift, owners, recover. The command line
// calls it, and so may every other way in.
//
// What changes something takes a [Decision], which is written to stream AUDIT. What
// only an owner may do is asked of the tenant's owner. The package prints nothing and
// reads no flags and no configuration.
package operate

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/textfile"
)

// Decision says who decides, and why.
type Decision struct{ Who, Reason string }

// Tenant is a configured tenant.
type Tenant struct {
	Name    string
	Mapping string // its file
	Marker  bool   // its handling records carry a marker
}

// Options are what [New] needs; all but Staff and Logger must be set.
type Options struct {
	Bus     *bus.Bus
	Tenants []Tenant
	Silence time.Duration // an owner that has not renewed its lease for so long has lost it

	// Staff reads Weiban's staff list of a tenant that has no owner.
	Staff  func(ctx context.Context, tenant string) ([]mapping.Staff, error)
	Logger *slog.Logger // told of added rows that cannot be read
}

// Acts are what a person may do to one installation. Safe for concurrent use.
type Acts struct {
	o   Options
	box *deadletter.Box
}

// New returns the acts over an open bus.
func New(o Options) *Acts {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Acts{o: o, box: deadletter.NewBox(o.Bus, time.Now)}
}

// RequestError says what a request lacks, or what of it cannot be meant. Nothing was
// done.
type RequestError struct{ Reason string }

func (e *RequestError) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &RequestError{fmt.Sprintf(format, args...)} }

// Tenants are the names of the configured tenants, or the one that is asked for.
func (a *Acts) Tenants(only string) ([]string, error) {
	if only != "" {
		t, err := a.tenant(only)
		return []string{t.Name}, err
	}
	out := make([]string, len(a.o.Tenants))
	for i, t := range a.o.Tenants {
		out[i] = t.Name
	}
	return out, nil
}

// tenant is the one that is asked for, or the only one.
func (a *Acts) tenant(name string) (Tenant, error) {
	if name == "" && len(a.o.Tenants) == 1 {
		return a.o.Tenants[0], nil
	}
	var names []string
	for _, t := range a.o.Tenants {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return Tenant{}, refuse("several tenants are configured; say which: %s", textfile.OneOf(names))
	}
	return Tenant{}, fmt.Errorf("tenant %s is not configured; expected %s", name, textfile.Choice(name, names))
}
