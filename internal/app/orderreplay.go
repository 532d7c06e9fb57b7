package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/operate"
)

// orderReplayCmd is `dispatcher order replay`.
type orderReplayCmd struct {
	Order  string `arg:"" name:"order_no" help:"The order number in Weiban, or the opportunity's id."`
	Event  string `required:"" placeholder:"ID" help:"The event: the id of the enriched event, or of its callback, from order show."`
	Reason string `required:"" help:"Why; kept in the audit."`
	Force  bool   `help:"Also if it was applied: another handling record is made. Look at the bill in Kingdee first."`
	Who    string `help:"Who decides; kept in the audit (default: the user that runs this)."`
	Tenant string `help:"The tenant; needed where several know the order."`
	Noun   string `help:"work_order or opportunity; needed where both have that number." enum:",work_order,opportunity" default:""`
}

func (c orderReplayCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason, Force: c.Force}
	if act.Who == "" {
		act.Who = whoami()
	}
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		tenant, noun, err := c.find(ctx, cfg, b)
		if err != nil {
			return err
		}
		a, err := operate.HandleAgain(ctx, b, deadletter.NewBox(b, time.Now), tenant, noun, c.Order, c.Event, act)
		if err != nil {
			return err
		}
		as := ""
		if a.Generation > 0 {
			as = ", as generation " + strconv.Itoa(a.Generation)
		}
		_, err = fmt.Fprintf(p.Stdout, "%s: %s %s: event %s is sent to handle again, replay %d%s\n", tenant, noun, c.Order, a.Event, a.Replay, as)
		return err
	})
}

// find is the one tenant and noun that know the order.
func (c orderReplayCmd) find(ctx context.Context, cfg *config.Config, b *bus.Bus) (tenant string, noun events.Noun, err error) {
	tenants, err := tenantsOf(cfg, c.Tenant)
	if err != nil {
		return "", "", err
	}
	known := 0
	for _, t := range tenants {
		nouns, err := inspect.NounsOf(ctx, b, t, c.Order)
		if err != nil {
			return "", "", err
		}
		for _, n := range nouns {
			if c.Noun == "" || events.Noun(c.Noun) == n {
				tenant, noun = t, n
				known++
			}
		}
	}
	switch known {
	case 1:
		return tenant, noun, nil
	case 0:
		return "", "", fmt.Errorf("%w: nothing is known of %s at %s", errUnknownOrder, strconv.Quote(c.Order), strings.Join(tenants, ", "))
	default:
		return "", "", fmt.Errorf("%w: several orders have the number %s; say which with --tenant and --noun", errUsage, strconv.Quote(c.Order))
	}
}
