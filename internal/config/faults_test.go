package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gongdan-bridge/internal/textfile"

	"github.com/google/go-cmp/cmp"
)

// Each case changes the sound configuration in one place and names every fault that this makes.
func TestFaults(t *testing.T) {
	const second = `  - name: other
    mapping: m.yaml
    weiban: {corp_id: "2", secret: env:WEIBAN_SECRET, callbacks: [{token: env:CALLBACK_TOKEN, encoding_aes_key: env:CALLBACK_KEY}]}
    kingdee: {account_id: "2", static: {access_token: env:WEIBAN_SECRET, group_name: ns-1, domain: https://tf.jdy.com}}
`
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key near a sibling", `  listen: ":8080"`, `  lisen: ":8080"`, []string{
			`bridge.yaml:5:3: ingest: unknown key "lisen"; expected "listen"`,
		}},
		{"unknown key of another section", `  token_key: env:TOKEN_KEY`, `  log_level: debug`, []string{
			`bridge.yaml:7:3: dispatcher: unknown key "log_level"; expected "telemetry.log_level"`,
		}},
		{"unknown key without a likeness", `  token_key: env:TOKEN_KEY`, `  zzz: hunter2`, []string{
			`bridge.yaml:7:3: dispatcher: unknown key "zzz"; expected "admin", "instance", "concurrency", "token_key", "ack_wait", "max_held", "keep_settled", "foreign_percent", "stop_within", "ownership", "calls", "breaker", "retries", "doubt" or "sweeps"`,
		}},
		{"key twice", `  listen: ":8080"`, "  listen: \":8080\"\n  listen: \":8081\"", []string{
			`bridge.yaml:6:3: ingest: "listen" stands twice; expected it once; the other is on line 5`,
		}},
		{"merge key", `  listen: ":8080"`, "  <<: {listen: \":1\"}", []string{
			`bridge.yaml:5:3: ingest: merge keys (<<) are not read; expected every key written out`,
		}},
		{"section is a text", "ingest:\n  listen: \":8080\"", "ingest: yes", []string{
			`bridge.yaml:4:9: ingest: is the text "yes"; expected a mapping with listen, admin, max_body, read_header_timeout, read_timeout, write_timeout, idle_timeout, publish_timeout, max_in_flight, max_connections, max_reading, max_clock_skew, max_future, retry_after, refusal_interval, stop_within`,
		}},
		{"text is a list", `mapping: acme/mapping.yaml`, `mapping: [a, b]`, []string{
			`bridge.yaml:10:14: tenants[0].mapping: is a list; expected a path`,
		}},
		{"key without value", `mapping: acme/mapping.yaml`, `mapping:`, []string{
			`bridge.yaml:10:13: tenants[0].mapping: is empty; expected a path`,
		}},
		{"truth value as a text", `name: acme`, `name: true`, []string{
			`bridge.yaml:9:11: tenants[0].name: is true; expected 1 to 32 of a-z, 0-9 and -, beginning and ending with a letter or digit`,
		}},
		{"tenant name", `name: acme`, `name: Acme_Co`, []string{
			`bridge.yaml:9:11: tenants[0].name: is the text "Acme_Co"; expected 1 to 32 of a-z, 0-9 and -, beginning and ending with a letter or digit`,
		}},
		{"required missing", "    mapping: acme/mapping.yaml\n", "", []string{
			`bridge.yaml:9:5: tenants[0]: lacks "mapping"; expected a path`,
		}},
		{"section of required missing", "      app:\n        client_id: 012345\n        client_secret: file:client-secret\n        outer_instance_id: \"98765\"\n", "      app:\n", []string{
			`bridge.yaml:19:11: tenants[0].kingdee.app: lacks "client_id"; expected 1 to 64 letters, digits, - or _`,
			`bridge.yaml:19:11: tenants[0].kingdee.app: lacks "client_secret"; expected env:NAME or file:PATH`,
			`bridge.yaml:19:11: tenants[0].kingdee.app: lacks "outer_instance_id"; expected 1 to 64 letters, digits, - or _`,
		}},
		{"neither app nor static", "      app:\n        client_id: 012345\n        client_secret: file:client-secret\n        outer_instance_id: \"98765\"\n", "", []string{
			`bridge.yaml:18:7: tenants[0].kingdee: has neither app nor static; expected one of them`,
		}},
		{"app and static", "      app:\n", "      static: {access_token: env:WEIBAN_SECRET, group_name: ns-1, domain: https://tf.jdy.com}\n      app:\n", []string{
			`bridge.yaml:18:7: tenants[0].kingdee: has both app and static; expected one of them`,
		}},
		{"no callbacks", "        - token: env:CALLBACK_TOKEN\n          encoding_aes_key: env:CALLBACK_KEY\n", "        []\n", []string{
			`bridge.yaml:15:9: tenants[0].weiban.callbacks: is an empty list; expected a list with at least one element`,
		}},
		{"an element of nothing", "        - token: env:CALLBACK_TOKEN\n          encoding_aes_key: env:CALLBACK_KEY\n", "        -\n", []string{
			`bridge.yaml:15:10: tenants[0].weiban.callbacks[0]: is empty; expected a mapping`,
		}},
		{"duration without unit", `  listen: ":8080"`, `  read_timeout: 30`, []string{
			`bridge.yaml:5:17: ingest.read_timeout: is 30; expected a duration such as 30s or 2h, at least 1ms; did you mean 30s?`,
		}},
		{"negative duration", `  listen: ":8080"`, `  max_clock_skew: -5s`, []string{
			`bridge.yaml:5:19: ingest.max_clock_skew: is the text "-5s"; expected a duration such as 30s or 2h`,
		}},
		{"zero without a unit", `  listen: ":8080"`, `  max_clock_skew: 0`, []string{
			`bridge.yaml:5:19: ingest.max_clock_skew: is 0; expected a duration such as 30s or 2h; did you mean 0s?`,
		}},
		{"duration in a list", `  token_key: env:TOKEN_KEY`, `  doubt: {looks: [10s, soon, [1s]]}`, []string{
			`bridge.yaml:7:24: dispatcher.doubt.looks[1]: is the text "soon"; expected a list of durations such as [30s, 2h], at least 1ms`,
			`bridge.yaml:7:30: dispatcher.doubt.looks[2]: is a list; expected a list of durations such as [30s, 2h], at least 1ms`,
		}},
		{"empty list of durations", `  token_key: env:TOKEN_KEY`, `  doubt: {looks: []}`, []string{
			`bridge.yaml:7:18: dispatcher.doubt.looks: is an empty list; expected a list of durations such as [30s, 2h], at least 1ms`,
		}},
		{"size with a decimal unit", `  listen: ":8080"`, `  max_body: 2MB`, []string{
			`bridge.yaml:5:13: ingest.max_body: is the text "2MB"; expected a size such as 512KiB or 2GiB, at least 1KiB, at most 4MiB; did you mean 2MiB?`,
		}},
		{"size beyond bounds", `  listen: ":8080"`, `  max_body: 5GiB`, []string{
			`bridge.yaml:5:13: ingest.max_body: is the text "5GiB"; expected a size such as 512KiB or 2GiB, at least 1KiB, at most 4MiB`,
		}},
		{"count", "ingest:\n", "ingest:\n  max_in_flight: many\n", []string{
			`bridge.yaml:5:18: ingest.max_in_flight: is the text "many"; expected a whole number, at least 1, at most 65536`,
		}},
		{"above the vendor's limit", `      secret: env:WEIBAN_SECRET`, "      secret: env:WEIBAN_SECRET\n      per_minute: 601\n      in_flight: 5", []string{
			`bridge.yaml:14:19: tenants[0].weiban.per_minute: is 601; expected a whole number, at least 1, at most 600`,
			`bridge.yaml:15:18: tenants[0].weiban.in_flight: is 5; expected a whole number, at least 1, at most 4`,
		}},
		{"no room for the calls on their way", `      secret: env:WEIBAN_SECRET`, "      secret: env:WEIBAN_SECRET\n      per_minute: 597\n      in_flight: 3", []string{
			`bridge.yaml:14:19: tenants[0].weiban.per_minute: is 597 a minute with 3 in flight; expected per_minute and in_flight together below the vendor's 600 a minute`,
		}},
		{"too many in flight for the default pace", `      account_id:`, "      in_flight: 5\n      account_id:", []string{
			`bridge.yaml:18:18: tenants[0].kingdee.in_flight: is 495 a minute with 5 in flight; expected per_minute and in_flight together below the vendor's 500 a minute`,
		}},
		{"count in quotes", "ingest:\n", "ingest:\n  max_in_flight: \"8\"\n", []string{
			`bridge.yaml:5:18: ingest.max_in_flight: is the text "8"; expected a whole number, at least 1, at most 65536`,
		}},
		{"word", "ingest:\n", "telemetry: {log_level: wran}\ningest:\n", []string{
			`bridge.yaml:4:24: telemetry.log_level: is the text "wran"; expected one of debug, info, warn, error; did you mean warn?`,
		}},
		{"switch", `name: acme`, "name: acme\n    dry_run: on", []string{
			`bridge.yaml:10:14: tenants[0].dry_run: is the text "on"; expected true or false`,
		}},
		{"address", `  listen: ":8080"`, `  listen: "8080"`, []string{
			`bridge.yaml:5:11: ingest.listen: is the text "8080"; expected host:port or :port`,
		}},
		{"plain http", `      secret: env:WEIBAN_SECRET`, "      secret: env:WEIBAN_SECRET\n      base_url: http://open.weibanzhushou.com", []string{
			`bridge.yaml:14:17: tenants[0].weiban.base_url: is the text "http://open.weibanzhushou.com"; expected an https URL without user, query or fragment (http only to a loopback address)`,
		}},
		{"token in an address", `      secret: env:WEIBAN_SECRET`, "      secret: env:WEIBAN_SECRET\n      base_url: https://open.weibanzhushou.com/?access_token=hunter2", []string{
			`bridge.yaml:14:17: tenants[0].weiban.base_url: is an address with a user, a password or a query (not shown); expected an https URL without user, query or fragment (http only to a loopback address)`,
		}},
		{"password in the servers", "  embedded:\n    dir: /var/lib/gongdan/nats", `  url: nats://user:hunter2@bus:4222`, []string{
			`bridge.yaml:2:8: nats.url: is an address with a user, a password or a query (not shown); expected nats:// or tls:// addresses without user or password, separated by commas`,
		}},
		{"authority key", `      account_id: 1234567890123456789`, "      account_id: 1234567890123456789\n      authority_iv: short", []string{
			`bridge.yaml:19:21: tenants[0].kingdee.authority_iv: is 5 bytes; expected 16 bytes`,
		}},

		{"pictures from nowhere", `      account_id: 1234567890123456789`, "      account_id: 1234567890123456789\n      photos: {mode: upload}", []string{
			`bridge.yaml:19:15: tenants[0].kingdee.photos.hosts: is empty beside mode: upload; expected the hosts that pictures may be fetched from`,
		}},
		{"pictures from anywhere", `      account_id: 1234567890123456789`, "      account_id: 1234567890123456789\n      photos: {hosts: ['*', '*.com', 127.0.0.1, 'https://a.example', localhost, a.example:443, '*.a.example', '[::1]', a.0x7f]}", []string{
			`bridge.yaml:19:24: tenants[0].kingdee.photos.hosts[0]: is the text "*"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:29: tenants[0].kingdee.photos.hosts[1]: is the text "*.com"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:38: tenants[0].kingdee.photos.hosts[2]: is the text "127.0.0.1"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:49: tenants[0].kingdee.photos.hosts[3]: is the text "https://a.example"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:70: tenants[0].kingdee.photos.hosts[4]: is the text "localhost"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:81: tenants[0].kingdee.photos.hosts[5]: is the text "a.example:443"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:111: tenants[0].kingdee.photos.hosts[7]: is the text "[::1]"; expected a list of host names such as img.example.com or *.example.com`,
			`bridge.yaml:19:120: tenants[0].kingdee.photos.hosts[8]: is the text "a.0x7f"; expected a list of host names such as img.example.com or *.example.com`,
		}},
		{"what is no picture", `      account_id: 1234567890123456789`, "      account_id: 1234567890123456789\n      photos: {types: [image/png, image/svg+xml], on_failure: wiat}", []string{
			`bridge.yaml:19:35: tenants[0].kingdee.photos.types[1]: is the text "image/svg+xml"; expected a list of image/jpeg, image/png, image/gif, image/webp, image/bmp`,
			`bridge.yaml:19:63: tenants[0].kingdee.photos.on_failure: is the text "wiat"; expected one of wait, without; did you mean wait?`,
		}},
		{"secret written out", `secret: env:WEIBAN_SECRET`, `secret: hunter2`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is a value written out (not shown); expected env:NAME or file:PATH`,
		}},
		{"secret behind env:", `secret: env:WEIBAN_SECRET`, `secret: "env:hunter2/+=="`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is env: without the name of a variable (not shown); expected env:NAME or file:PATH`,
		}},
		{"secret as an alias", `secret: env:WEIBAN_SECRET`, `secret: *hunter2`, []string{
			`bridge.yaml:13:15: not YAML: unknown anchor '…' referenced`,
		}},
		{"secret as a mapping", `secret: env:WEIBAN_SECRET`, `secret: {hunter2: hunter2}`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is a mapping; expected env:NAME or file:PATH`,
		}},
		{"variable not set", `secret: env:WEIBAN_SECRET`, `secret: env:WIEBAN_SECRET`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is env:WIEBAN_SECRET, which is not set; expected a variable of the environment, or of the file that --env-file names`,
		}},
		{"variable empty", `secret: env:WEIBAN_SECRET`, `secret: env:EMPTY`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is env:EMPTY, which is empty; expected a secret`,
		}},
		{"variable of two lines", `secret: env:WEIBAN_SECRET`, `secret: env:TWO_LINES`, []string{
			`bridge.yaml:13:15: tenants[0].weiban.secret: is env:TWO_LINES, which holds line breaks or control characters; expected a secret of one line`,
		}},
		{"file missing", `client_secret: file:client-secret`, `client_secret: file:/nowhere/client-secret`, []string{
			`bridge.yaml:21:24: tenants[0].kingdee.app.client_secret: is file:/nowhere/client-secret, which does not exist; expected a readable file with the secret and nothing else`,
		}},
		{"file is a device", `client_secret: file:client-secret`, `client_secret: file:/dev/zero`, []string{
			`bridge.yaml:21:24: tenants[0].kingdee.app.client_secret: is file:/dev/zero, which is not a regular file; expected a readable file with the secret and nothing else`,
		}},
		{"EncodingAESKey", `encoding_aes_key: env:CALLBACK_KEY`, `encoding_aes_key: env:CALLBACK_TOKEN`, []string{
			`bridge.yaml:16:29: tenants[0].weiban.callbacks[0].encoding_aes_key: is a secret of 22 characters; expected an EncodingAESKey of exactly 43 letters and digits`,
		}},
		{"token key", `token_key: env:TOKEN_KEY`, `token_key: env:WEIBAN_SECRET`, []string{
			`bridge.yaml:7:14: dispatcher.token_key: is a secret of 21 characters; expected 32 bytes in base64 or hex`,
		}},

		{"two listeners on one port", "ingest:\n", "ingest:\n  admin: 127.0.0.1:8080\n", []string{
			`bridge.yaml:5:10: ingest.admin: is "127.0.0.1:8080", which is also the port of ingest.listen (:8080); expected a port of its own`,
		}},
		{"a listener on the embedded server's port", `  listen: ":8080"`, `  listen: "0.0.0.0:4250"`, []string{
			`bridge.yaml:5:11: ingest.listen: is "0.0.0.0:4250", which is also the port of nats.embedded.port (127.0.0.1:4250); expected a port of its own`,
		}},
		{"token for no server", "nats:\n", "nats:\n  token: env:WEIBAN_SECRET\n  replicas: 3\n", []string{
			`bridge.yaml:2:10: nats.token: stands without nats.url; expected nats.url beside it: the embedded server makes its own token`,
			`bridge.yaml:3:13: nats.replicas: is 3 without nats.url; expected 1: the embedded server is alone`,
		}},
		{"two credentials, half a certificate", "nats:\n", "nats:\n  url: tls://a:4222, tls://b:4222\n  credentials_file: x.creds\n  token: env:WEIBAN_SECRET\n  tls: {cert_file: c.pem}\n  replicas: 2\n", []string{
			`bridge.yaml:4:10: nats.token: stands beside credentials_file; expected one of them`,
			`bridge.yaml:5:8: nats.tls: has one of cert_file and key_file; expected both or none`,
			`bridge.yaml:6:13: nats.replicas: is 2; expected one of 1, 3, 5`,
		}},
		{"more streams than store", "    dir: /var/lib/gongdan/nats\n", "    dir: /var/lib/gongdan/nats\n    max_store: 1GiB\n", []string{
			`bridge.yaml:4:16: nats.embedded.max_store: is 1GiB for streams and buckets of 16144MiB together; expected no less than they may hold: JetStream sets it aside`,
		}},
		{"window longer than age", "nats:\n", "nats:\n  streams: {duplicate_window: 2h, events: {max_age: 90m}}\n", []string{
			`bridge.yaml:2:53: nats.streams.events.max_age: is 1h30m; expected at least nats.streams.duplicate_window, 2h`,
		}},
		{"claims expire too soon", `  token_key: env:TOKEN_KEY`, `  ownership: {renew: 5s}`, []string{
			`bridge.yaml:7:14: dispatcher.ownership.expire: is 12s; expected at least three times dispatcher.ownership.renew, 15s`,
		}},
		{"backoff upside down", "        outer_instance_id: \"98765\"\n", "        outer_instance_id: \"98765\"\n    retries: {quick_first: 1m}\n", []string{
			`bridge.yaml:23:14: tenants[0].retries.quick_max: is 8s; expected at least quick_first, 1m`,
		}},
		{"no time to answer", `  listen: ":8080"`, `  publish_timeout: 15s`, []string{
			`bridge.yaml:5:3: ingest.write_timeout: is 15s; expected more than ingest.publish_timeout, 15s`,
		}},
		{"two tenants alike", "        outer_instance_id: \"98765\"\n", "        outer_instance_id: \"98765\"\n" + strings.NewReplacer("other", "acme", `corp_id: "2"`, `corp_id: "1704174310933890049"`, `account_id: "2"`, `account_id: "1234567890123456789"`).Replace(second), []string{
			`bridge.yaml:23:11: tenants[1].name: is "acme", which tenants[0] has on line 9; expected one that no other tenant has`,
			`bridge.yaml:25:23: tenants[1].weiban.corp_id: is "1704174310933890049", which tenants[0] has on line 12; expected one that no other tenant has`,
			`bridge.yaml:26:27: tenants[1].kingdee.account_id: is "1234567890123456789", which tenants[0] has on line 18; expected one that no other tenant has`,
		}},
		{"two tenants apart", "        outer_instance_id: \"98765\"\n", "        outer_instance_id: \"98765\"\n" + second, nil},

		{"not YAML", `  listen: ":8080"`, `  listen: [":8080"`, []string{
			`bridge.yaml:6:1: not YAML: did not find expected ',' or ']'`,
		}},
		{"a second document", "ingest:\n", "---\ningest:\n", []string{
			`bridge.yaml: the file holds more than one document; expected no line of ---`,
		}},
		{"a list at the top", "nats:\n  embedded:\n    dir: /var/lib/gongdan/nats\ningest:\n  listen: \":8080\"\ndispatcher:\n  token_key: env:TOKEN_KEY\ntenants:\n", "", []string{
			`bridge.yaml:1:3: is a list; expected a mapping with nats, ingest, dispatcher, telemetry, tenants`,
		}},
		{"faults everywhere at once", "dispatcher:\n", "dispatcher:\n  concurrency: 0\n  stop_within: 1 hour\ntelemtry: {}\nnats2: hunter2\n", []string{
			`bridge.yaml:7:16: dispatcher.concurrency: is 0; expected a whole number, at least 1, at most 1024`,
			`bridge.yaml:8:16: dispatcher.stop_within: is the text "1 hour"; expected a duration such as 30s or 2h, at least 1ms`,
			`bridge.yaml:9:1: unknown key "telemtry"; expected "telemetry"`,
			`bridge.yaml:10:1: unknown key "nats2"; expected "nats"`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, dir := base(t)
			if !strings.Contains(text, c.old) {
				t.Fatalf("the sound configuration has no %q", c.old)
			}
			text = strings.Replace(text, c.old, c.new, 1)
			if c.name == "faults everywhere at once" { // the old dispatcher's key would hang below nats2
				text = strings.Replace(text, "  token_key: env:TOKEN_KEY\n", "", 1)
			}
			_, err := load(t, text, dir)
			var got []string
			if faults := textfile.Of(err); faults != nil {
				got = strings.Split(faults.Error(), "\n")
			} else if err != nil {
				t.Fatalf("not faults but %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, ""), "hunter2") {
				t.Errorf("a fault repeats a secret: %s", got)
			}
		})
	}
}

func TestEmptyFileLacksEverythingAtOnce(t *testing.T) {
	for text, want := range map[string]string{
		"":            "bridge.yaml: the file is empty; expected at least tenants",
		"# nothing\n": "bridge.yaml: the file is empty; expected at least tenants",
		"nats:\n":     `bridge.yaml:1:1: lacks "tenants"; expected a list with at least one element`,
	} {
		if _, err := load(t, text, t.TempDir()); err == nil || err.Error() != want {
			t.Errorf("load(%q) = %v, want %s", text, err, want)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "bridge.yaml"), os.LookupEnv); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	write(t, filepath.Join(dir, "huge.yaml"), strings.Repeat("# x\n", textfile.Small().Bytes/4+1))
	if _, err := Load(filepath.Join(dir, "huge.yaml"), os.LookupEnv); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("huge file: %v", err)
	}
	write(t, filepath.Join(dir, "secret"), strings.Repeat("x", maxSecret+1))
	if _, _, expected := (&secretSource{dir: dir}).read("file:secret"); expected == "" {
		t.Error("a huge secret was taken")
	}
}
