package vendors

import (
	"context"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/mapping"
)

// Staff reads Weiban's staff list with the token that dispatchers keep. Only where
// the tenant has no owner may it be called: an owner alone can keep the quota.
func Staff(ctx context.Context, cfg *config.Config, conn *bus.Bus, t config.Tenant) ([]mapping.Staff, error) {
	vault, err := vaultOf(cfg, conn)
	if err != nil {
		return nil, err
	}
	c, w := cfg.Dispatcher, t.Weiban
	account, err := connectors.NewAccount(connectors.AccountOptions{
		Vendor: "weiban", Tenant: t.Name, InFlight: 1, Timeout: c.Calls.Timeout, ReadTimeout: c.Calls.ReadTimeout, MaxWait: c.Calls.MaxWait,
		Breaker: connectors.BreakerSettings{Failures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor},
		MaxBody: int64(c.Calls.MaxAnswer), Rate: func(string) connectors.Rate { return connectors.Rate{PerMinute: w.PerMinute, Burst: 1} },
	})
	if err != nil {
		return nil, err
	}
	defer account.Close()
	list, err := weiban.New(weiban.Options{BaseURL: w.BaseURL, CorpID: w.CorpID, Secret: w.Secret.Reveal(), Vault: vault, Account: account}).Staff(ctx)
	out := make([]mapping.Staff, len(list))
	for i, x := range list {
		out[i] = mapping.Staff{ID: string(x.ID), Name: string(x.Name), Department: strings.Join(x.Department, " ")}
	}
	return out, err
}
