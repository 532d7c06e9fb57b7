// Package config reads bridge.yaml, the one file that both programs share, and holds what it says
// as plain values.
//
// A setting is declared once, by its field in [Config]: the tags hold type, default, bounds and
// meaning (see [Setting]). [Load] reports every fault of a file at once, each with line,
// column, what was found and what was expected. It refuses what it does not know: unknown keys,
// duplicate keys, merge keys, a secret that is written out. It never repeats the value of a secret,
// neither in a fault nor in [Config.Print]. It opens no connection, starts nothing, and reads no
// other file than bridge.yaml and the secrets that it names; package app is its only caller and
// hands the values on.
package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// Config is bridge.yaml with every default filled in. Paths are absolute; the file's own directory
// is what relative ones start from.
type Config struct {
	NATS       NATS       `yaml:"nats" doc:"The message bus."`
	Ingest     Ingest     `yaml:"ingest" doc:"The callback endpoint."`
	Dispatcher Dispatcher `yaml:"dispatcher" doc:"The program that enriches and handles events."`
	Telemetry  Telemetry  `yaml:"telemetry" doc:"Logs, and the names in traces and metrics. The |OTEL_*| variables say where traces go."`
	Tenants    []Tenant   `yaml:"tenants" required:"true" doc:"The tenants: each joins a Weiban corporation to the Kingdee account set of its orders."`

	// File is the path that was loaded, absolute.
	File string `yaml:"-"`

	written  map[string]*yaml.Node // what the file says, by its path
	warnings textfile.Faults
}

// Warnings are what is allowed and should not be so: files of secrets that every user of the host may read.
func (c *Config) Warnings() textfile.Faults { return slices.Clone(c.warnings) }

// NATS is the section nats.
type NATS struct {
	URL             string        `yaml:"url" type:"servers" doc:"An existing server or cluster. Without it |ingest| embeds a server on loopback, and |dispatcher| uses that one."`
	Name            string        `yaml:"name" type:"text" default:"gongdan-bridge" doc:"The name of the connections in the server's monitoring."`
	CredentialsFile string        `yaml:"credentials_file" type:"path" doc:"The credentials file (|.creds|) for an existing server."`
	Token           Secret        `yaml:"token" doc:"The token for an existing server."`
	TLS             TLS           `yaml:"tls" doc:"PEM files for an existing server."`
	Replicas        int           `yaml:"replicas" default:"1" words:"1 3 5" doc:"The number of copies of every stream and bucket in a cluster."`
	ConnectTimeout  time.Duration `yaml:"connect_timeout" default:"5s" min:"1ms" doc:"One attempt to connect takes at most this long."`
	AcceptUnsynced  bool          `yaml:"accept_unsynced" default:"false" doc:"Accept an existing server that confirms messages before they are on disk. A power cut then loses confirmed messages."`
	Embedded        Embedded      `yaml:"embedded" doc:"The server inside |ingest|, which runs where |nats.url| is absent."`
	Streams         Streams       `yaml:"streams" doc:"The limits of the streams."`
	Buckets         Buckets       `yaml:"buckets" doc:"The largest size of each bucket."`
}

// IsEmbedded reports whether ingest runs the NATS server itself.
func (n NATS) IsEmbedded() bool { return n.URL == "" }

// TLS names the PEM files of the connection to NATS. All empty: the system's roots, no client certificate.
type TLS struct {
	CAFile   string `yaml:"ca_file" type:"path" doc:"The authorities to trust in place of the system's."`
	CertFile string `yaml:"cert_file" type:"path" doc:"The client certificate; it needs |key_file|."`
	KeyFile  string `yaml:"key_file" type:"path" doc:"The key of the client certificate."`
}

// Embedded is the NATS server inside ingest. Not used where nats.url is set.
type Embedded struct {
	Dir       string `yaml:"dir" type:"path" default:"data/nats" doc:"The directory of the store. One process at a time may use it."`
	Port      int    `yaml:"port" default:"4250" min:"1" max:"65535" doc:"The port on 127.0.0.1."`
	TokenFile string `yaml:"token_file" type:"path" default:"data/nats.token" doc:"The file in which |ingest| leaves the token for |dispatcher|. Without it: the path of the store with |.token| behind it."`
	MaxStore  Size   `yaml:"max_store" default:"20GiB" min:"10MiB" doc:"The space on disk. It must be at least the sum of all streams and buckets."`
}

// Streams holds the limits of the four streams.
type Streams struct {
	Callbacks       Stream        `yaml:"callbacks" default:"max_bytes=2GiB" doc:"Stream |CALLBACKS|: what Weiban sent."`
	Events          Stream        `yaml:"events" default:"max_bytes=8GiB" doc:"Stream |EVENTS|: enriched events and outcomes."`
	Dead            DeadStream    `yaml:"dead" doc:"Stream |DEAD|: open dead letters, which do not expire."`
	Audit           Stream        `yaml:"audit" default:"max_bytes=512MiB" doc:"Stream |AUDIT|: who did what."`
	DuplicateWindow time.Duration `yaml:"duplicate_window" default:"1h" min:"100ms" doc:"How long the server knows a message id. A callback that is repeated within this time is stored once."`
}

// Stream is how much a stream may hold, and for how long.
type Stream struct {
	MaxBytes Size          `yaml:"max_bytes" min:"1MiB" doc:"The largest size."`
	MaxAge   time.Duration `yaml:"max_age" default:"720h" min:"1m" doc:"The longest time that a message is kept."`
}

// DeadStream is the limit of the dead letters; they have no age, since an open letter never goes by itself.
type DeadStream struct {
	MaxBytes Size `yaml:"max_bytes" default:"1GiB" min:"1MiB" doc:"The largest size."`
}

// Buckets is how much each bucket may hold.
type Buckets struct {
	State  Size `yaml:"state" default:"4GiB" min:"1MiB" doc:"Bucket |STATE|: the owner of every tenant, and the record of every order."`
	Tokens Size `yaml:"tokens" default:"16MiB" min:"1MiB" doc:"Bucket |TOKENS|: the vendors' access tokens."`
	Tables Size `yaml:"tables" default:"256MiB" min:"1MiB" doc:"Bucket |TABLES|: rows that operators add to mapping tables."`
}

// Ingest is the section ingest.
type Ingest struct {
	Listen            string        `yaml:"listen" type:"address" default:":8080" doc:"The address at which Weiban's callbacks arrive, as |/weiban/{tenant}|. Put TLS in front of it."`
	Admin             string        `yaml:"admin" type:"address" default:"127.0.0.1:9090" doc:"The address of |/healthz|, |/readyz| and |/metrics| of |ingest|."`
	MaxBody           Size          `yaml:"max_body" default:"1MiB" min:"1KiB" max:"4MiB" doc:"The largest callback. A larger one is answered 413."`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" default:"5s" min:"1ms" doc:"The headers of a request take at most this long."`
	ReadTimeout       time.Duration `yaml:"read_timeout" default:"10s" min:"1ms" doc:"A whole request takes at most this long."`
	WriteTimeout      time.Duration `yaml:"write_timeout" default:"15s" min:"1ms" doc:"From the end of the headers to the end of the answer it takes at most this long."`
	IdleTimeout       time.Duration `yaml:"idle_timeout" default:"1m" min:"1ms" doc:"How long a connection without requests stays open."`
	PublishTimeout    time.Duration `yaml:"publish_timeout" default:"4s" min:"1ms" doc:"How long |ingest| waits for JetStream's acknowledgement. After that the answer is 503."`
	MaxInFlight       int           `yaml:"max_in_flight" default:"512" min:"1" max:"65536" doc:"verified callbacks that are being stored at once, at most half of the connections; a further one is answered 503"`
	MaxConnections    int           `yaml:"max_connections" default:"1024" min:"4" max:"65536" doc:"connections at once; at the bound the one that has waited longest for its request is closed. Where the process may open few files: half of that number less sixteen"`
	MaxReading        Size          `yaml:"max_reading" default:"64MiB" min:"16KiB" doc:"memory for all bodies that have not verified yet, never less than four times |ingest.max_body|; at the bound the connection that has waited longest for its body is closed"`
	MaxClockSkew      time.Duration `yaml:"max_clock_skew" default:"0s" doc:"How far a callback's |timestamp| may be from the present. 0s: it is not checked."`
	MaxFuture         time.Duration `yaml:"max_future" default:"5m" min:"1ms" max:"24h" doc:"how far a callback's own time may lie ahead of its arrival; further ahead the arrival decides what is late"`
	RetryAfter        time.Duration `yaml:"retry_after" default:"5s" min:"1s" doc:"The |Retry-After| of a 503."`
	RefusalInterval   time.Duration `yaml:"refusal_interval" default:"1m" min:"1ms" doc:"of requests that do not verify, ten of each sort have a log line of their own; further ones are counted in one line an interval"`
	StopWithin        time.Duration `yaml:"stop_within" default:"10s" min:"1ms" doc:"A soft stop takes at most this long."`
}

// Telemetry is the section telemetry. Where traces go is said by the standard OTEL_* variables, not here.
type Telemetry struct {
	ServiceNamespace string `yaml:"service_namespace" type:"text" default:"gongdan" doc:"The |service.namespace| of both programs."`
	LogLevel         string `yaml:"log_level" type:"word" default:"info" words:"debug info warn error" doc:"The lowest level that is logged."`
	LogFormat        string `yaml:"log_format" type:"word" default:"json" words:"json text" doc:"The form of a log line."`
	PProf            bool   `yaml:"pprof" default:"false" doc:"Serve |/debug/pprof/| on the admin listeners."`
}
