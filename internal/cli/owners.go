package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/inspect"
)

type ownersCmd struct {
	JSON bool `name:"json" help:"One JSON object a tenant."`
}

func (c ownersCmd) Run(ctx context.Context, s *session) error {
	list, err := s.Owners(ctx)
	if err != nil {
		return err
	}
	return errors.Join(show(s.out, c.JSON, list, ownersText), inspect.Unowned(list))
}

func ownersText(list []inspect.Owner) string {
	t := newTable("tenant", "state", "owner", "since", "epoch", "lease renewed", "paused", "trouble")
	t.SetColumnConfigs([]table.ColumnConfig{counts(5), wrapped(7, 60), wrapped(8, 80)})
	for _, o := range list {
		state := o.State
		if !o.Configured {
			state += ", not configured here"
		}
		if o.Recovery != "" {
			state += "\n" + recoveryText(o.Recovery)
		}
		var paused []string
		for _, p := range o.Paused {
			paused = append(paused, string(p.Stage)+" "+pauseText(p))
		}
		t.AppendRow(table.Row{o.Tenant, state, o.Instance, when(o.Since), o.Epoch, when(o.Renewed), strings.Join(paused, "\n"), strings.Join(o.Trouble, "\n")})
	}
	all := t.Render() + "\n"
	if len(list) > 0 {
		for _, n := range list[0].Store {
			all += text.WrapSoft(when(n.At)+" "+n.String()+" (dispatcher recover)", 80) + "\n"
		}
	}
	return all
}
