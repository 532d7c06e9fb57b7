//go:build unix

package harness

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// TenantOptions are a tenant's name and its vendors. What identifies and
// authorises the tenant is filled in, different for each; a Script is there in
// any case.
type TenantOptions struct {
	Name    string
	Weiban  fakeweiban.Options
	Kingdee fakekingdee.Options
}

// Tenant is one customer with its two vendors.
type Tenant struct {
	Name          string
	Weiban        *fakeweiban.Server
	Kingdee       *fakekingdee.Server
	WeibanFaults  *script.Script
	KingdeeFaults *script.Script
	WeibanGate    *Gate
	KingdeeGate   *Gate

	dir     string
	secrets map[string]string // file → secret
}

func newTenant(ctx context.Context, dir string, n int, o TenantOptions) (*Tenant, error) {
	t := &Tenant{Name: o.Name, dir: filepath.Join(dir, o.Name)}
	t.secrets = map[string]string{
		"weiban.secret": t.secret("weiban secret", 40), "callback.token": t.secret("callback token", 32),
		"callback.key": t.secret("callback key", 43), "kingdee.secret": t.secret("client secret", 32),
	}
	w, k := o.Weiban, o.Kingdee
	w.CorpID, w.Secret = fmt.Sprint(1653682321878942721+n), t.secrets["weiban.secret"]
	w.Callback.Token, w.Callback.EncodingAESKey = t.secrets["callback.token"], t.secrets["callback.key"]
	k.Account = fakekingdee.Account{
		ClientID: fmt.Sprint(204321 + n), ClientSecret: t.secrets["kingdee.secret"],
		OuterInstanceID: "instance-" + o.Name, AppKey: t.secret("app key", 8), AppSecret: t.secret("app secret", 40),
		AccountID: fmt.Sprint(1683187060740048426 + n),
	}
	k.ForeignPictures = true
	if w.Script == nil {
		w.Script = script.New(1)
	}
	if k.Script == nil {
		k.Script = script.New(2)
	}
	t.WeibanFaults, t.KingdeeFaults = w.Script, k.Script
	var err error
	if t.Weiban, err = fakeweiban.New(w); err != nil {
		return nil, err
	}
	t.Kingdee = fakekingdee.New(k)
	var err2 error
	t.WeibanGate, err = newGate(ctx, "weiban", t.Weiban)
	t.KingdeeGate, err2 = newGate(ctx, "kingdee", t.Kingdee)
	return t, errors.Join(err, err2)
}

// secret is n hex digits that nothing else holds.
func (t *Tenant) secret(what string, n int) string {
	sum := sha256.Sum256([]byte("harness " + t.Name + " " + what))
	return hex.EncodeToString(sum[:])[:n]
}

func (t *Tenant) close(ctx context.Context) error {
	return errors.Join(t.WeibanGate.Shut(ctx), t.KingdeeGate.Shut(ctx))
}

// writeFiles writes the secrets, the mapping and its tables.
func (t *Tenant) writeFiles() error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	for name, value := range t.secrets {
		if err := t.write(name, value); err != nil {
			return err
		}
	}
	base := fakekingdee.SampleBase()
	for name, items := range map[string][]fakekingdee.Item{
		"cause.csv": base.Reasons, "solution.csv": base.Schemes, "result.csv": base.Results,
	} {
		rows := [][]string{{"option", "id"}}
		for _, it := range items {
			rows = append(rows, []string{it.Name, it.ID})
		}
		if err := t.table(name, rows); err != nil {
			return err
		}
	}
	return errors.Join(t.write("mapping.yaml", string(mappingFile)), t.MapStaff())
}

// MapStaff writes the table of staff: everybody of [fakeweiban.Roster] but those
// named.
func (t *Tenant) MapStaff(except ...string) error {
	base := fakekingdee.SampleBase()
	rows := [][]string{{"staff_id", "emp", "dept", "name"}}
	for i, s := range fakeweiban.Roster() {
		if !slices.Contains(except, s.ID) {
			rows = append(rows, []string{s.ID, base.Employees[i].ID, base.Departments[i/4].ID, s.Name})
		}
	}
	return t.table("staff.csv", rows)
}

func (t *Tenant) table(name string, rows [][]string) error {
	var b strings.Builder
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return fmt.Errorf("write table %s: %w", name, err)
	}
	return t.write(name, b.String())
}

func (t *Tenant) write(name, text string) error {
	return os.WriteFile(filepath.Join(t.dir, name), []byte(text), 0o600)
}

// CallbackKey is the token and the EncodingAESKey of the tenant's callbacks.
func (t *Tenant) CallbackKey() (token, key string) {
	return t.secrets["callback.token"], t.secrets["callback.key"]
}
