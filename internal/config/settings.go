package config

// The rows of [Reference] that concern the installation; those of the tenants are in settings_tenant.go.

const shortest = "1ms" // of an interval: tests scale time down to it

func natsSettings() []Setting {
	rows := []Setting{
		{Path: "nats", Type: kindSection, Meaning: "the message bus"},
		{Path: "nats.url", Type: kindServers, Meaning: "an existing server or cluster; absent: `ingest` embeds a server on loopback, and `dispatcher` uses it"},
		{Path: "nats.name", Type: kindText, Default: "gongdan-bridge", Meaning: "name of the connections, as the server's monitoring shows them"},
		{Path: "nats.credentials_file", Type: kindPath, Meaning: "credentials (`.creds`) for an existing server"},
		{Path: "nats.token", Type: kindSecret, Meaning: "token for an existing server"},
		{Path: "nats.tls", Type: kindSection, Meaning: "PEM files for an existing server"},
		{Path: "nats.tls.ca_file", Type: kindPath, Meaning: "authorities to trust in place of the system's"},
		{Path: "nats.tls.cert_file", Type: kindPath, Meaning: "client certificate; goes with `key_file`"},
		{Path: "nats.tls.key_file", Type: kindPath, Meaning: "its key"},
		{Path: "nats.replicas", Type: kindCount, Default: "1", Words: []string{"1", "3", "5"}, Meaning: "copies of every stream and bucket in a cluster"},
		{Path: "nats.connect_timeout", Type: kindDuration, Default: "5s", Min: shortest, Meaning: "bound of one attempt to connect"},
		{Path: "nats.accept_unsynced", Type: kindSwitch, Default: "false", Meaning: "an existing server that confirms messages before they are on disk does not keep the programs from being ready; a power cut loses what it confirmed"},
		{Path: "nats.embedded", Type: kindSection, Meaning: "the server inside `ingest`, used where `nats.url` is absent"},
		{Path: "nats.embedded.dir", Type: kindPath, Default: "data/nats", Meaning: "the store; one process at a time"},
		{Path: "nats.embedded.port", Type: kindCount, Default: "4250", Min: "1", Max: "65535", Meaning: "port on 127.0.0.1"},
		{Path: "nats.embedded.token_file", Type: kindPath, Default: "data/nats.token", Meaning: "where `ingest` leaves the token for `dispatcher`; absent: the store's path with `.token` behind it"},
		{Path: "nats.embedded.max_store", Type: kindSize, Default: "20GiB", Min: "10MiB", Meaning: "room on disk; at least what all streams and buckets may hold together"},
	}
	return append(append(rows, streamSettings()...), bucketSettings()...)
}

func streamSettings() []Setting {
	const age = "how long"
	return []Setting{
		{Path: "nats.streams", Type: kindSection, Meaning: "limits of the streams"},
		{Path: "nats.streams.callbacks", Type: kindSection, Meaning: "stream `CALLBACKS`: what Weiban sent"},
		{Path: "nats.streams.callbacks.max_bytes", Type: kindSize, Default: "2GiB", Min: "1MiB", Meaning: "how much"},
		{Path: "nats.streams.callbacks.max_age", Type: kindDuration, Default: "720h", Min: "1m", Meaning: age},
		{Path: "nats.streams.events", Type: kindSection, Meaning: "stream `EVENTS`: enriched events and outcomes"},
		{Path: "nats.streams.events.max_bytes", Type: kindSize, Default: "8GiB", Min: "1MiB", Meaning: "how much"},
		{Path: "nats.streams.events.max_age", Type: kindDuration, Default: "720h", Min: "1m", Meaning: age},
		{Path: "nats.streams.dead", Type: kindSection, Meaning: "stream `DEAD`: open dead letters, which never age"},
		{Path: "nats.streams.dead.max_bytes", Type: kindSize, Default: "1GiB", Min: "1MiB", Meaning: "how much"},
		{Path: "nats.streams.audit", Type: kindSection, Meaning: "stream `AUDIT`: who did what"},
		{Path: "nats.streams.audit.max_bytes", Type: kindSize, Default: "512MiB", Min: "1MiB", Meaning: "how much"},
		{Path: "nats.streams.audit.max_age", Type: kindDuration, Default: "720h", Min: "1m", Meaning: age},
		{Path: "nats.streams.duplicate_window", Type: kindDuration, Default: "1h", Min: "100ms", Meaning: "how long a message id is known; a repeated callback within it is stored once"},
	}
}

func bucketSettings() []Setting {
	return []Setting{
		{Path: "nats.buckets", Type: kindSection, Meaning: "how much each bucket may hold"},
		{Path: "nats.buckets.state", Type: kindSize, Default: "4GiB", Min: "1MiB", Meaning: "bucket `STATE`: who owns what, and the record of every order"},
		{Path: "nats.buckets.tokens", Type: kindSize, Default: "16MiB", Min: "1MiB", Meaning: "bucket `TOKENS`: the vendors' access tokens"},
		{Path: "nats.buckets.tables", Type: kindSize, Default: "256MiB", Min: "1MiB", Meaning: "bucket `TABLES`: mapping tables"},
		{Path: "nats.buckets.cursors", Type: kindSize, Default: "64MiB", Min: "1MiB", Meaning: "bucket `CURSORS`: how far polling has come"},
		{Path: "nats.buckets.jobs", Type: kindSize, Default: "256MiB", Min: "1MiB", Meaning: "bucket `JOBS`: replay jobs"},
	}
}

func ingestSettings() []Setting {
	return []Setting{
		{Path: "ingest", Type: kindSection, Meaning: "the callback endpoint"},
		{Path: "ingest.listen", Type: kindAddress, Default: ":8080", Meaning: "where Weiban's callbacks arrive, `/weiban/{tenant}`; put TLS in front of it"},
		{Path: "ingest.admin", Type: kindAddress, Default: "127.0.0.1:9090", Meaning: "`/healthz`, `/readyz`, `/metrics` of `ingest`"},
		{Path: "ingest.max_body", Type: kindSize, Default: "1MiB", Min: "1KiB", Max: "4MiB", Meaning: "largest callback; more is 413"},
		{Path: "ingest.read_header_timeout", Type: kindDuration, Default: "5s", Min: shortest, Meaning: "bound for a request's headers"},
		{Path: "ingest.read_timeout", Type: kindDuration, Default: "10s", Min: shortest, Meaning: "bound for a whole request"},
		{Path: "ingest.write_timeout", Type: kindDuration, Default: "15s", Min: shortest, Meaning: "bound from the end of the headers to the end of the answer"},
		{Path: "ingest.idle_timeout", Type: kindDuration, Default: "1m", Min: shortest, Meaning: "how long a quiet connection stays open"},
		{Path: "ingest.publish_timeout", Type: kindDuration, Default: "4s", Min: shortest, Meaning: "bound for JetStream's acknowledgement; after it 503"},
		{Path: "ingest.max_in_flight", Type: kindCount, Default: "512", Min: "1", Max: "65536", Meaning: "verified callbacks that are being stored at once, at most half of the connections; a further one is answered 503"},
		{Path: "ingest.max_connections", Type: kindCount, Default: "1024", Min: "4", Max: "65536", Meaning: "connections at once; at the bound the one that has waited longest for its request is closed. Where the process may open few files: half of that number less sixteen"},
		{Path: "ingest.max_reading", Type: kindSize, Default: "64MiB", Min: "16KiB", Meaning: "memory for all bodies that have not verified yet, never less than four times `ingest.max_body`; at the bound the connection that has waited longest for its body is closed"},
		{Path: "ingest.max_clock_skew", Type: kindDuration, Default: "0s", Meaning: "how far a callback's `timestamp` may be off; 0s: not looked at"},
		{Path: "ingest.max_future", Type: kindDuration, Default: "5m", Min: shortest, Max: "24h", Meaning: "how far a callback's own time may lie ahead of its arrival; further ahead the arrival decides what is late"},
		{Path: "ingest.retry_after", Type: kindDuration, Default: "5s", Min: "1s", Meaning: "`Retry-After` of a 503"},
		{Path: "ingest.refusal_interval", Type: kindDuration, Default: "1m", Min: shortest, Meaning: "of requests that do not verify, ten of each sort have a log line of their own; further ones are counted in one line an interval"},
		{Path: "ingest.stop_within", Type: kindDuration, Default: "10s", Min: shortest, Meaning: "bound of a soft stop"},
	}
}

func dispatcherSettings() []Setting {
	return []Setting{
		{Path: "dispatcher", Type: kindSection, Meaning: "the program that enriches and handles"},
		{Path: "dispatcher.admin", Type: kindAddress, Default: "127.0.0.1:9091", Meaning: "`/healthz`, `/readyz`, `/metrics` of `dispatcher`"},
		{Path: "dispatcher.instance", Type: kindID, Meaning: "this replica's name, its own among all; absent: host name and process id"},
		{Path: "dispatcher.concurrency", Type: kindCount, Default: "16", Min: "1", Max: "1024", Meaning: "orders side by side, per tenant and stage"},
		{Path: "dispatcher.token_key", Type: kindSecret, check: checkTokenKey, Meaning: "32 bytes in base64 or hex that encrypt vendor tokens in the bucket `TOKENS`; absent: tokens stay in memory"},
		{Path: "dispatcher.ack_wait", Type: kindDuration, Default: "1m", Min: shortest, Meaning: "after this silence JetStream delivers a message again"},
		{Path: "dispatcher.max_held", Type: kindCount, Default: "256", Min: "1", Max: "65536", Meaning: "messages held in memory behind those that run, per consumer"},
		{Path: "dispatcher.keep_settled", Type: kindDuration, Default: "9600h", Min: "1h", Meaning: "how long the record of a settled order stays"},
		{Path: "dispatcher.stop_within", Type: kindDuration, Default: "20s", Min: shortest, Meaning: "longest time of a soft stop: calls that have begun end, and the other messages go back to the stream"},
		{Path: "dispatcher.ownership", Type: kindSection, Meaning: "which replica owns a tenant"},
		{Path: "dispatcher.ownership.renew", Type: kindDuration, Default: "3s", Min: shortest, Meaning: "beat of the claims"},
		{Path: "dispatcher.ownership.expire", Type: kindDuration, Default: "12s", Min: shortest, Meaning: "a claim not renewed for so long may be taken; at least three beats"},
		{Path: "dispatcher.calls", Type: kindSection, Meaning: "bounds of every call to a vendor"},
		{Path: "dispatcher.calls.timeout", Type: kindDuration, Default: "30s", Min: shortest, Meaning: "deadline of one call that writes"},
		{Path: "dispatcher.calls.read_timeout", Type: kindDuration, Default: "6s", Min: shortest, Meaning: "bound of one call that reads; a new owner waits so long after a death, since calls of the dead one may still run"},
		{Path: "dispatcher.calls.max_wait", Type: kindDuration, Default: "5s", Min: shortest, Meaning: "longest wait in place for a vendor's pause; longer ones are put on record"},
		{Path: "dispatcher.calls.max_answer", Type: kindSize, Default: "4MiB", Min: "64KiB", Max: "64MiB", Meaning: "largest answer read"},
		{Path: "dispatcher.breaker", Type: kindSection, Meaning: "the circuit breaker of each vendor API"},
		{Path: "dispatcher.breaker.failures", Type: kindCount, Default: "5", Min: "1", Max: "1000", Meaning: "failures in a row that open it; an unreadable answer of HTTP below 500 counts once a minute for each order"},
		{Path: "dispatcher.breaker.open_for", Type: kindDuration, Default: "30s", Min: shortest, Meaning: "how long it stays open before one call probes"},
		{Path: "dispatcher.breaker.probe_denied", Type: kindDuration, Default: "5m", Min: shortest, Meaning: "beat of the probes after refused credentials"},
	}
}

func retrySettings(at string) []Setting {
	return []Setting{
		{Path: at, Type: kindSection, Meaning: "when what failed is tried again"},
		{Path: at + ".quick_tries", Type: kindCount, Default: "6", Min: "1", Max: "20", Meaning: "tries in a row, the first included, while the order's turn lasts"},
		{Path: at + ".quick_first", Type: kindDuration, Default: "500ms", Min: shortest, Meaning: "first backoff; each one doubles"},
		{Path: at + ".quick_max", Type: kindDuration, Default: "8s", Min: shortest, Meaning: "longest backoff"},
		{Path: at + ".waits", Type: kindDurations, Default: "30s, 2m, 10m, 30m, 1h, 2h", Min: shortest, Meaning: "waits on record; the last one repeats"},
		{Path: at + ".jitter_percent", Type: kindCount, Default: "20", Min: "0", Max: "50", Meaning: "how much longer a wait may be, at random"},
		{Path: at + ".give_up", Type: kindDuration, Default: "24h", Min: shortest, Meaning: "after so much waiting with the API up: a dead letter"},
		{Path: at + ".missing_tries", Type: kindCount, Default: "5", Min: "0", Max: "100", Meaning: "tries for what Weiban does not know yet"},
		{Path: at + ".missing_young", Type: kindDuration, Default: "10m", Min: shortest, Meaning: "an event younger than this may be ahead of Weiban's own reads"},
		{Path: at + ".internal_tries", Type: kindCount, Default: "3", Min: "0", Max: "100", Meaning: "tries after a fault of our own, or for an answer that fails for one order alone"},
	}
}

func backgroundSettings() []Setting {
	return []Setting{
		{Path: "dispatcher.doubt", Type: kindSection, Meaning: "a write without a readable outcome"},
		{Path: "dispatcher.doubt.looks", Type: kindDurations, Default: "10s, 1m", Min: shortest, Meaning: "how long after the call's deadline its record is looked for"},
		{Path: "dispatcher.sweeps", Type: kindSection, Meaning: "beats of the looks in the background"},
		{Path: "dispatcher.sweeps.expiry", Type: kindDuration, Default: "10m", Min: shortest, Meaning: "waiting events that would leave the stream become letters"},
		{Path: "dispatcher.sweeps.doubles", Type: kindDuration, Default: "1h", Min: shortest, Meaning: "two handling records with one marker raise an alert"},
		{Path: "dispatcher.sweeps.trim", Type: kindDuration, Default: "1m", Min: shortest, Meaning: "streams are trimmed below what is done"},
		{Path: "dispatcher.sweeps.stalls", Type: kindDuration, Default: "30s", Min: shortest, Meaning: "how often consumers are checked; a consumer that was paused or changed on the server is created again, and so is one that delivered none of its waiting messages in two checks"},
	}
}

func telemetrySettings() []Setting {
	return []Setting{
		{Path: "telemetry", Type: kindSection, Meaning: "logs, and names in traces and metrics; where traces go is said by the `OTEL_*` variables"},
		{Path: "telemetry.service_namespace", Type: kindText, Default: "gongdan", Meaning: "`service.namespace` of both programs"},
		{Path: "telemetry.log_level", Type: kindWord, Default: "info", Words: []string{"debug", "info", "warn", "error"}, Meaning: "least level that is logged"},
		{Path: "telemetry.log_format", Type: kindWord, Default: "json", Words: []string{"json", "text"}, Meaning: "a line of JSON, or of text, per entry"},
		{Path: "telemetry.pprof", Type: kindSwitch, Default: "false", Meaning: "`/debug/pprof/` on the admin listeners"},
	}
}
