// Package config reads bridge.yaml, the one file that both programs share, and holds what it says
// as plain values.
//
// It knows every setting from one table ([Reference]), which is also that of
// docs/configuration.md: path, type, default, bounds and meaning. [Load] reports every fault of a file at once, each with line,
// column, what was found and what was expected. It refuses what it does not know: unknown keys,
// duplicate keys, merge keys, a secret that is written out. It never repeats the value of a secret,
// neither in a fault nor in [Config.Print]. It opens no connection, starts nothing, and reads no
// other file than bridge.yaml and the secrets that it names; package app is its only caller and
// hands the values on. What a field of the structs means stands in the table, under the path that
// its tags spell.
package config

import "time"

// Config is bridge.yaml with every default filled in. Paths are absolute; the file's own directory
// is what relative ones start from.
type Config struct {
	// NATS is the message bus: an existing server, or the one that ingest embeds.
	NATS NATS `yaml:"nats"`
	// Ingest is the callback endpoint.
	Ingest Ingest `yaml:"ingest"`
	// Dispatcher is the program that enriches and handles.
	Dispatcher Dispatcher `yaml:"dispatcher"`
	// Telemetry is logging, and how the programs name themselves in traces and metrics.
	Telemetry Telemetry `yaml:"telemetry"`
	// Tenants are the pairs of a Weiban corporation and a Kingdee account set; at least one.
	Tenants []Tenant `yaml:"tenants"`

	// File is the path that was loaded, absolute.
	File string `yaml:"-"`

	marks map[string]mark
}

// NATS is the section nats.
type NATS struct {
	URL             string        `yaml:"url"`  // "" for the embedded server
	Name            string        `yaml:"name"` // of the connections
	CredentialsFile string        `yaml:"credentials_file"`
	Token           Secret        `yaml:"token"`
	TLS             TLS           `yaml:"tls"`
	Replicas        int           `yaml:"replicas"`        // 1, 3 or 5
	ConnectTimeout  time.Duration `yaml:"connect_timeout"` // of one attempt
	AcceptUnsynced  bool          `yaml:"accept_unsynced"` // a server that confirms before a message is on disk
	Embedded        Embedded      `yaml:"embedded"`
	Streams         Streams       `yaml:"streams"`
	Buckets         Buckets       `yaml:"buckets"`
}

// IsEmbedded reports whether ingest runs the NATS server itself.
func (n NATS) IsEmbedded() bool { return n.URL == "" }

// TLS names the PEM files of the connection to NATS. All empty: the system's roots, no client certificate.
type TLS struct {
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Embedded is the NATS server inside ingest. Not used where nats.url is set.
type Embedded struct {
	Dir       string `yaml:"dir"`        // the store
	Port      int    `yaml:"port"`       // on 127.0.0.1
	TokenFile string `yaml:"token_file"` // mode 0600, written by ingest, read by dispatcher
	MaxStore  Size   `yaml:"max_store"`  // no less than all streams and buckets
}

// Streams holds the limits of the four streams.
type Streams struct {
	Callbacks       Stream        `yaml:"callbacks"`
	Events          Stream        `yaml:"events"`
	Dead            DeadStream    `yaml:"dead"`
	Audit           Stream        `yaml:"audit"`
	DuplicateWindow time.Duration `yaml:"duplicate_window"` // how long a message id is known
}

// Stream is how much a stream may hold, and for how long.
type Stream struct {
	MaxBytes Size          `yaml:"max_bytes"`
	MaxAge   time.Duration `yaml:"max_age"`
}

// DeadStream is the limit of the dead letters; they have no age, since an open letter never goes by itself.
type DeadStream struct {
	MaxBytes Size `yaml:"max_bytes"`
}

// Buckets is how much each bucket may hold.
type Buckets struct {
	State   Size `yaml:"state"`
	Tokens  Size `yaml:"tokens"`
	Tables  Size `yaml:"tables"`
	Cursors Size `yaml:"cursors"`
	Jobs    Size `yaml:"jobs"`
}

// Ingest is the section ingest.
type Ingest struct {
	Listen            string        `yaml:"listen"`   // host:port of the callbacks
	Admin             string        `yaml:"admin"`    // host:port of health and metrics
	MaxBody           Size          `yaml:"max_body"` // of a callback
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`    // of a whole request
	WriteTimeout      time.Duration `yaml:"write_timeout"`   // from the headers' end to the answer's
	IdleTimeout       time.Duration `yaml:"idle_timeout"`    // of a quiet connection
	PublishTimeout    time.Duration `yaml:"publish_timeout"` // for JetStream's acknowledgement
	MaxInFlight       int           `yaml:"max_in_flight"`   // verified callbacks in hand at once
	MaxConnections    int           `yaml:"max_connections"` // fewer where the process may have few descriptors
	MaxReading        Size          `yaml:"max_reading"`     // bodies that did not verify yet, together
	MaxClockSkew      time.Duration `yaml:"max_clock_skew"`  // 0: not looked at
	MaxFuture         time.Duration `yaml:"max_future"`
	RetryAfter        time.Duration `yaml:"retry_after"`      // told with a 503
	RefusalInterval   time.Duration `yaml:"refusal_interval"` // between two log lines that count refusals
	StopWithin        time.Duration `yaml:"stop_within"`      // of a soft stop
}

// Telemetry is the section telemetry. Where traces go is said by the standard OTEL_* variables, not here.
type Telemetry struct {
	ServiceNamespace string `yaml:"service_namespace"` // service.namespace
	LogLevel         string `yaml:"log_level"`         // debug, info, warn, error
	LogFormat        string `yaml:"log_format"`        // json, text
	PProf            bool   `yaml:"pprof"`             // /debug/pprof/ on the admin listeners
}
