package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/telemetry"
)

// mappingBeat is how often a mapping's files are read for a change.
const mappingBeat = time.Second

// mapping loads a tenant's mapping and its tables, and follows their changes until the
// program stops.
func (b *base) mapping(ctx context.Context, conn *bus.Bus, t config.Tenant, language *mapping.Language) (*mapping.Live, *tables.Live, error) {
	log := b.log.With(slog.String("tenant", t.Name))
	rows, err := tables.NewLive(ctx, conn, t.Name, b.log)
	if err != nil {
		return nil, nil, err
	}
	live, err := mapping.NewLive(t.Mapping, mapping.Options{Tables: rows, Language: language})
	if err != nil {
		return nil, nil, err
	}
	warn(ctx, log, live.Mapping())
	b.watch(ctx, "tables of "+t.Name, rows.Run)
	b.watch(ctx, "mapping of "+t.Name, func(ctx context.Context) {
		live.Watch(ctx, mappingBeat, func(m *mapping.Mapping, err error) {
			if err == nil {
				log.InfoContext(ctx, "mapping changed", slog.String("mapping", m.Hash()))
				warn(ctx, log, m)
				return
			}
			log.ErrorContext(ctx, "changed mapping refused, the old one stays in force",
				slog.String("mapping", m.Hash()), slog.Any("faults", strings.Split(err.Error(), "\n")))
		})
	})
	return live, rows, nil
}

// warn logs what of a mapping is most likely not meant.
func warn(ctx context.Context, log *slog.Logger, m *mapping.Mapping) {
	for _, w := range m.Warnings() {
		log.WarnContext(ctx, "mapping: "+w.String(), slog.String("mapping", m.Hash()))
	}
}

// refusedBy says in one line why a changed mapping file is not in force.
func refusedBy(m *mapping.Live) func() error {
	return func() error {
		err := m.Refused()
		if err == nil {
			return nil
		}
		text, more, _ := strings.Cut(err.Error(), "\n")
		if more != "" {
			text += fmt.Sprintf(" (and %d more)", strings.Count(more, "\n")+1)
		}
		return fmt.Errorf("the changed mapping is refused, the old one %s stays in force: %s", m.Mapping().Hash(), text)
	}
}

// mappingChecks name the mappings whose change was refused. The old ones are in use,
// so the program stays ready.
func mappingChecks(tenants []dispatch.Tenant) []telemetry.Check {
	var all []telemetry.Check
	for _, t := range tenants {
		all = append(all, telemetry.Check{Name: "mapping of " + t.Name, Note: func() string {
			if err := t.Refused(); err != nil {
				return err.Error()
			}
			return ""
		}})
	}
	return all
}
