//go:build unix

package harness

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"strings"
)

//go:embed mapping.yaml
var mappingFile []byte

// writeFiles writes everything that the programs read.
func (i *Installation) writeFiles() error {
	files := map[string]string{"tokens.key": i.tokenKey(), "bridge.yaml": i.bridge(0)}
	for n := range i.ports.dispatchers {
		files[replica(n)+".yaml"] = i.bridge(n)
	}
	if i.o.Servers > 0 {
		files["nats.token"] = strings.Repeat("7a1c", 12)
	}
	for n := range i.o.Servers {
		files[server(n)+".conf"] = i.server(n, files["nats.token"])
	}
	for name, text := range files {
		if err := os.WriteFile(i.Path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, t := range i.Tenants {
		if err := t.writeFiles(); err != nil {
			return err
		}
	}
	return nil
}

// server is the configuration of the n-th NATS server.
func (i *Installation) server(n int, token string) string {
	text := fmt.Sprintf(`server_name: %[1]s
listen: "127.0.0.1:%[2]d"
http: "127.0.0.1:%[3]d"
authorization { token: %[4]q }
max_payload: 8MB
jetstream { store_dir: %[5]q, sync_interval: always, max_file_store: 20GB }
`, server(n), i.ports.nats[n], i.ports.monitors[n], token, i.Path(server(n)))
	if i.o.Servers > 1 {
		var routes []string
		for _, port := range i.ports.routes {
			routes = append(routes, fmt.Sprintf("%q", fmt.Sprintf("nats://127.0.0.1:%d", port)))
		}
		text += fmt.Sprintf("cluster { name: harness, listen: \"127.0.0.1:%d\", routes: [%s] }\n", i.ports.routes[n], strings.Join(routes, ", "))
	}
	return text
}

// NATSURL is where the NATS servers are.
func (i *Installation) NATSURL() string {
	var all []string
	for _, port := range i.ports.nats {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	return strings.Join(all, ",")
}

func (i *Installation) tokenKey() string { return strings.Repeat("5d0b", 16) }

// bridge is the configuration of the n-th dispatcher, and of everything else.
func (i *Installation) bridge(n int) string {
	var b strings.Builder
	nats := fmt.Sprintf(`embedded: {dir: nats, port: %d, token_file: nats.token}`, i.ports.nats[0])
	if i.o.Servers > 0 {
		nats = fmt.Sprintf(`url: %q, token: "file:nats.token", replicas: %d`, i.NATSURL(), i.o.Servers)
	}
	if i.o.NATS != "" {
		nats += ", " + i.o.NATS
	}
	fmt.Fprintf(&b, `nats: {%s}
telemetry: {log_level: %s}
ingest:
  listen: "127.0.0.1:%d"
  admin: "127.0.0.1:%d"
%sdispatcher:
  admin: "127.0.0.1:%d"
  token_key: file:tokens.key
%stenants:
`, nats, i.o.LogLevel, i.ports.callbacks, i.ports.ingest, i.o.Ingest, i.ports.dispatchers[n], i.o.Dispatcher)
	for _, t := range i.Tenants {
		a := t.Kingdee.Account()
		fmt.Fprintf(&b, `  - name: %[1]s
    mapping: %[1]s/mapping.yaml
    weiban:
      base_url: %[2]s
      corp_id: %[3]q
      secret: file:%[1]s/weiban.secret
      callbacks: [{token: "file:%[1]s/callback.token", encoding_aes_key: "file:%[1]s/callback.key"}]
    kingdee:
      base_url: %[4]s
      account_id: %[5]q
      per_minute: 480
      app: {client_id: %[6]q, client_secret: "file:%[1]s/kingdee.secret", outer_instance_id: %[7]q}
`, t.Name, t.WeibanGate.URL(), t.Weiban.CorpID(), t.KingdeeGate.URL(), a.AccountID, a.ClientID, a.OuterInstanceID)
	}
	return b.String()
}

// Secrets are everything that must never be seen outside: the secrets of the
// configuration and every credential that has passed to or from a vendor, by
// value, with what it is.
func (i *Installation) Secrets() (map[string]string, error) {
	all := map[string]string{i.tokenKey(): "token key"}
	token, err := os.ReadFile(i.Path("nats.token"))
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	all[strings.TrimSpace(string(token))] = "NATS token"
	for _, t := range i.Tenants {
		for file, value := range t.secrets {
			all[value] = t.Name + "/" + file
		}
		maps.Copy(all, t.WeibanGate.Secrets())
		maps.Copy(all, t.KingdeeGate.Secrets())
		all[t.Kingdee.Account().AppSecret] = t.Name + " app secret"
	}
	return all, nil
}
