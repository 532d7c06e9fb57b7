package kingdee

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"gongdan-bridge/internal/connectors"
)

// Whatever secret Kingdee gives out is told of before it is used, by the process
// that fetched it and by one that finds it in the vault.
func TestSecretsAreToldOf(t *testing.T) {
	g, vault := newGateway(t), connectors.MemoryVault()
	for _, want := range [][]string{{"access_token", "app_secret", "authority_info"}, {"access_token", "authority_info"}} {
		var mu sync.Mutex
		told := map[string]string{}
		c := g.client(func(o *Options) {
			o.Vault = vault
			o.Known = func(name, secret string) {
				mu.Lock()
				defer mu.Unlock()
				told[name] = secret
			}
		})
		if _, err := c.HandleOrder(t.Context(), pageOrder()); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name, secret := range told {
			names = append(names, name)
			if len(secret) < 8 {
				t.Errorf("%s is %q", name, secret)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, want) || !strings.HasPrefix(told["access_token"], tokenSecret) {
			t.Errorf("told of %v, want %v", names, want)
		}
	}
}
