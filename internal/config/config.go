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
	"time"

	"go.yaml.in/yaml/v4"
)

// Config is bridge.yaml with every default filled in. Paths are absolute; the file's own directory
// is what relative ones start from.
type Config struct {
	NATS       NATS       `yaml:"nats" doc:"the message bus"`
	Ingest     Ingest     `yaml:"ingest" doc:"the callback endpoint"`
	Dispatcher Dispatcher `yaml:"dispatcher" doc:"the program that enriches and handles"`
	Telemetry  Telemetry  `yaml:"telemetry" doc:"logs, and names in traces and metrics; where traces go is said by the |OTEL_*| variables"`
	Tenants    []Tenant   `yaml:"tenants" required:"true" doc:"each a Weiban corporation and the Kingdee account set of its orders"`

	// File is the path that was loaded, absolute.
	File string `yaml:"-"`

	written map[string]*yaml.Node // what the file says, by its path
}

// NATS is the section nats.
type NATS struct {
	URL             string        `yaml:"url" type:"servers" doc:"an existing server or cluster; absent: |ingest| embeds a server on loopback, and |dispatcher| uses it"`
	Name            string        `yaml:"name" type:"text" default:"gongdan-bridge" doc:"name of the connections, as the server's monitoring shows them"`
	CredentialsFile string        `yaml:"credentials_file" type:"path" doc:"credentials (|.creds|) for an existing server"`
	Token           Secret        `yaml:"token" doc:"token for an existing server"`
	TLS             TLS           `yaml:"tls" doc:"PEM files for an existing server"`
	Replicas        int           `yaml:"replicas" default:"1" words:"1 3 5" doc:"copies of every stream and bucket in a cluster"`
	ConnectTimeout  time.Duration `yaml:"connect_timeout" default:"5s" min:"1ms" doc:"bound of one attempt to connect"`
	AcceptUnsynced  bool          `yaml:"accept_unsynced" default:"false" doc:"an existing server that confirms messages before they are on disk does not keep the programs from being ready; a power cut loses what it confirmed"`
	Embedded        Embedded      `yaml:"embedded" doc:"the server inside |ingest|, used where |nats.url| is absent"`
	Streams         Streams       `yaml:"streams" doc:"limits of the streams"`
	Buckets         Buckets       `yaml:"buckets" doc:"how much each bucket may hold"`
}

// IsEmbedded reports whether ingest runs the NATS server itself.
func (n NATS) IsEmbedded() bool { return n.URL == "" }

// TLS names the PEM files of the connection to NATS. All empty: the system's roots, no client certificate.
type TLS struct {
	CAFile   string `yaml:"ca_file" type:"path" doc:"authorities to trust in place of the system's"`
	CertFile string `yaml:"cert_file" type:"path" doc:"client certificate; goes with |key_file|"`
	KeyFile  string `yaml:"key_file" type:"path" doc:"its key"`
}

// Embedded is the NATS server inside ingest. Not used where nats.url is set.
type Embedded struct {
	Dir       string `yaml:"dir" type:"path" default:"data/nats" doc:"the store; one process at a time"`
	Port      int    `yaml:"port" default:"4250" min:"1" max:"65535" doc:"port on 127.0.0.1"`
	TokenFile string `yaml:"token_file" type:"path" default:"data/nats.token" doc:"where |ingest| leaves the token for |dispatcher|; absent: the store's path with |.token| behind it"`
	MaxStore  Size   `yaml:"max_store" default:"20GiB" min:"10MiB" doc:"room on disk; at least what all streams and buckets may hold together"`
}

// Streams holds the limits of the four streams.
type Streams struct {
	Callbacks       Stream        `yaml:"callbacks" default:"max_bytes=2GiB" doc:"stream |CALLBACKS|: what Weiban sent"`
	Events          Stream        `yaml:"events" default:"max_bytes=8GiB" doc:"stream |EVENTS|: enriched events and outcomes"`
	Dead            DeadStream    `yaml:"dead" doc:"stream |DEAD|: open dead letters, which never age"`
	Audit           Stream        `yaml:"audit" default:"max_bytes=512MiB" doc:"stream |AUDIT|: who did what"`
	DuplicateWindow time.Duration `yaml:"duplicate_window" default:"1h" min:"100ms" doc:"how long a message id is known; a repeated callback within it is stored once"`
}

// Stream is how much a stream may hold, and for how long.
type Stream struct {
	MaxBytes Size          `yaml:"max_bytes" min:"1MiB" doc:"how much"`
	MaxAge   time.Duration `yaml:"max_age" default:"720h" min:"1m" doc:"how long"`
}

// DeadStream is the limit of the dead letters; they have no age, since an open letter never goes by itself.
type DeadStream struct {
	MaxBytes Size `yaml:"max_bytes" default:"1GiB" min:"1MiB" doc:"how much"`
}

// Buckets is how much each bucket may hold.
type Buckets struct {
	State  Size `yaml:"state" default:"4GiB" min:"1MiB" doc:"bucket |STATE|: who owns what, and the record of every order"`
	Tokens Size `yaml:"tokens" default:"16MiB" min:"1MiB" doc:"bucket |TOKENS|: the vendors' access tokens"`
	Tables Size `yaml:"tables" default:"256MiB" min:"1MiB" doc:"bucket |TABLES|: mapping tables"`
}

// Ingest is the section ingest.
type Ingest struct {
	Listen            string        `yaml:"listen" type:"address" default:":8080" doc:"where Weiban's callbacks arrive, |/weiban/{tenant}|; put TLS in front of it"`
	Admin             string        `yaml:"admin" type:"address" default:"127.0.0.1:9090" doc:"|/healthz|, |/readyz|, |/metrics| of |ingest|"`
	MaxBody           Size          `yaml:"max_body" default:"1MiB" min:"1KiB" max:"4MiB" doc:"largest callback; more is 413"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" default:"5s" min:"1ms" doc:"bound for a request's headers"`
	ReadTimeout       time.Duration `yaml:"read_timeout" default:"10s" min:"1ms" doc:"bound for a whole request"`
	WriteTimeout      time.Duration `yaml:"write_timeout" default:"15s" min:"1ms" doc:"bound from the end of the headers to the end of the answer"`
	IdleTimeout       time.Duration `yaml:"idle_timeout" default:"1m" min:"1ms" doc:"how long a quiet connection stays open"`
	PublishTimeout    time.Duration `yaml:"publish_timeout" default:"4s" min:"1ms" doc:"bound for JetStream's acknowledgement; after it 503"`
	MaxInFlight       int           `yaml:"max_in_flight" default:"512" min:"1" max:"65536" doc:"verified callbacks that are being stored at once, at most half of the connections; a further one is answered 503"`
	MaxConnections    int           `yaml:"max_connections" default:"1024" min:"4" max:"65536" doc:"connections at once; at the bound the one that has waited longest for its request is closed. Where the process may open few files: half of that number less sixteen"`
	MaxReading        Size          `yaml:"max_reading" default:"64MiB" min:"16KiB" doc:"memory for all bodies that have not verified yet, never less than four times |ingest.max_body|; at the bound the connection that has waited longest for its body is closed"`
	MaxClockSkew      time.Duration `yaml:"max_clock_skew" default:"0s" doc:"how far a callback's |timestamp| may be off; 0s: not looked at"`
	MaxFuture         time.Duration `yaml:"max_future" default:"5m" min:"1ms" max:"24h" doc:"how far a callback's own time may lie ahead of its arrival; further ahead the arrival decides what is late"`
	RetryAfter        time.Duration `yaml:"retry_after" default:"5s" min:"1s" doc:"|Retry-After| of a 503"`
	RefusalInterval   time.Duration `yaml:"refusal_interval" default:"1m" min:"1ms" doc:"of requests that do not verify, ten of each sort have a log line of their own; further ones are counted in one line an interval"`
	StopWithin        time.Duration `yaml:"stop_within" default:"10s" min:"1ms" doc:"bound of a soft stop"`
}

// Telemetry is the section telemetry. Where traces go is said by the standard OTEL_* variables, not here.
type Telemetry struct {
	ServiceNamespace string `yaml:"service_namespace" type:"text" default:"gongdan" doc:"|service.namespace| of both programs"`
	LogLevel         string `yaml:"log_level" type:"word" default:"info" words:"debug info warn error" doc:"least level that is logged"`
	LogFormat        string `yaml:"log_format" type:"word" default:"json" words:"json text" doc:"a line of JSON, or of text, per entry"`
	PProf            bool   `yaml:"pprof" default:"false" doc:"|/debug/pprof/| on the admin listeners"`
}
