package sandbox

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

//go:embed acme.mapping.yaml
var acmeMapping []byte

// The sample credentials of the sandbox's message subscription.
const (
	callbackToken = "sandboxCallbackToken2026"
	callbackKey   = "c2FuZGJveC1hZXMta2V5LW9mLTMyLWJ5dGVzLWxvbmc"
	weibanSecret  = "sandbox-weiban-secret-5d1c"
)

// Unmapped is the staff member that the sandbox's table does not know.
const Unmapped = "HuangTao"

// ports are the loopback ports of one bridge.
type ports struct{ nats, callbacks, ingestAdmin, dispatcherAdmin int }

// freePorts finds ports that nobody uses now.
func freePorts(ctx context.Context) (ports, error) {
	p, err := script.FreePorts(ctx, 4)
	if err != nil {
		return ports{}, err
	}
	return ports{nats: p[0], callbacks: p[1], ingestAdmin: p[2], dispatcherAdmin: p[3]}, nil
}

// writeFiles puts a whole installation's files into dir: bridge.yaml, the
// secrets that it names, the mapping and its tables. settings are lines of the
// section dispatcher, kingdee of the tenant's section kingdee. It returns bridge.yaml's
// path.
func writeFiles(dir string, p ports, w *fakeweiban.Server, k *fakekingdee.Server, settings, kingdee string) (string, error) {
	a := k.Account()
	files := map[string]string{
		"weiban.secret": weibanSecret, "callback.token": callbackToken, "callback.key": callbackKey,
		"kingdee.secret": a.ClientSecret, "tokens.key": strings.Repeat("5d", 32),
		"acme.mapping.yaml": string(acmeMapping),
		"bridge.yaml": fmt.Sprintf(`nats:
  embedded: {dir: nats, port: %d, token_file: nats.token}
ingest: {listen: "127.0.0.1:%d", admin: "127.0.0.1:%d"}
dispatcher:
  admin: "127.0.0.1:%d"
  token_key: file:tokens.key
%stenants:
  - name: acme
    mapping: acme.mapping.yaml
    weiban:
      base_url: %s
      corp_id: %q
      secret: file:weiban.secret
      callbacks: [{token: file:callback.token, encoding_aes_key: file:callback.key}]
      receivers: [%q]
    kingdee:
      base_url: %s
      account_id: %q
      app: {client_id: %q, client_secret: file:kingdee.secret, outer_instance_id: %q}
%s`, p.nats, p.callbacks, p.ingestAdmin, p.dispatcherAdmin, settings, w.URL(), w.CorpID(), w.CorpID(), k.URL(),
			a.AccountID, a.ClientID, a.OuterInstanceID, kingdee),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write sandbox: %w", err)
		}
	}
	return filepath.Join(dir, "bridge.yaml"), writeTables(dir)
}

// writeTables fills the mapping's tables from the simulators' sample data, all
// but the staff member who stays unmapped.
func writeTables(dir string) error {
	base := fakekingdee.SampleBase()
	staff := [][]string{{"staff_id", "emp", "dept", "name"}}
	for i, s := range fakeweiban.Roster() {
		if s.ID != Unmapped {
			staff = append(staff, []string{s.ID, base.Employees[i].ID, base.Departments[i/4].ID, s.Name})
		}
	}
	tables := map[string][][]string{"staff.csv": staff}
	for name, items := range map[string][]fakekingdee.Item{
		"cause.csv": base.Reasons, "solution.csv": base.Schemes, "result.csv": base.Results,
	} {
		rows := [][]string{{"option", "id"}}
		for _, it := range items {
			rows = append(rows, []string{it.Name, it.ID})
		}
		tables[name] = rows
	}
	for name, rows := range tables {
		var b strings.Builder
		if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
			return fmt.Errorf("write sandbox: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o600); err != nil {
			return fmt.Errorf("write sandbox: %w", err)
		}
	}
	return nil
}
