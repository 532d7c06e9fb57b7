package retention

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
)

// foreignStep is how much of a stream is trimmed at once below [Options.Foreign].
const foreignStep = 0.05

// lag is what is known of the consumers of other services that are far behind.
type lag struct {
	next  time.Time // not looked before
	names string    // of the last look
	told  string    // in the last alert
}

// foreign alerts to the consumers of other services that hold half of what they may hold of a
// stream, at two looks in a row: long before what they have not settled is trimmed.
func (t *Trimmer) foreign(ctx context.Context, f bus.Fill, share float64, now time.Time) error {
	l := t.behind[f.Name]
	if t.o.Foreign <= 0 || now.Before(l.next) {
		return nil
	}
	l.next = now.Add(t.o.Every)
	list, err := t.lagging(ctx, f, share)
	if err != nil {
		return err
	}
	names := strings.Join(list, ", ")
	if names == l.names && names != l.told {
		if l.told = names; names == "" {
			t.o.Logger.Info("no other service is far behind any more", slog.String(f.Kind(), f.Name))
		} else {
			t.o.Alerted(ledger.AlarmSubscriber)
			t.o.Logger.Error("alert", slog.String("why", string(ledger.AlarmSubscriber)), slog.String(f.Kind(), f.Name), slog.String("consumers", names),
				slog.String("text", fmt.Sprintf("consumers of other services have not settled what they read long ago: let them acknowledge it, or remove them; "+
					"once the stream is %.0f %% full, its oldest messages go whether they are settled or not (dispatcher.foreign_percent)", 100*t.o.Foreign)))
		}
	}
	l.names = names
	t.behind[f.Name] = l
	return nil
}

// lagging are the names of the consumers of other services whose unsettled messages take half
// of [Options.Foreign] or more, sorted.
func (t *Trimmer) lagging(ctx context.Context, f bus.Fill, share float64) ([]string, error) {
	if share < t.o.Foreign/2 {
		return nil, nil
	}
	followers, err := t.o.Bus.Followers(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	tenants, err := knownTenants(ctx, t.o.Bus, t.o.Tenants)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range followers {
		if isOurs(x.Name, tenants) {
			continue
		}
		seq, ok, err := t.o.Bus.Unsettled(ctx, f.Name, x.Filters, x.AckFloor)
		if err != nil {
			return nil, err
		}
		held := float64(f.Last+1-min(max(seq, f.First), f.Last+1)) / float64(f.Last+1-f.First)
		if ok && share*held >= t.o.Foreign/2 {
			names = append(names, x.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
