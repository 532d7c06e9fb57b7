package config

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"time"
)

// Dispatcher is the section dispatcher.
type Dispatcher struct {
	Admin       string        `yaml:"admin" type:"address" default:"127.0.0.1:9091" doc:"The address of |/healthz|, |/readyz| and |/metrics| of |dispatcher|."`
	Instance    string        `yaml:"instance" type:"id" doc:"The name of this replica, which no other may have. Without it: host name and process id."`
	Concurrency int           `yaml:"concurrency" default:"16" min:"1" max:"1024" doc:"How many orders are worked on at once, for each tenant and stage."`
	TokenKey    Secret        `yaml:"token_key" check:"token_key" doc:"The key, 32 bytes in base64 or hex, that encrypts vendor tokens in the bucket |TOKENS|. Without it tokens stay in memory."`
	AckWait     time.Duration `yaml:"ack_wait" default:"1m" min:"1ms" doc:"JetStream redelivers a message that was not acknowledged for this long."`
	MaxHeld     int           `yaml:"max_held" default:"256" min:"1" max:"65536" doc:"How many messages each consumer holds in memory behind those that are worked on."`
	KeepSettled time.Duration `yaml:"keep_settled" default:"9600h" min:"1h" doc:"How long the record of a settled order is kept."`
	Foreign     int           `yaml:"foreign_percent" default:"80" min:"0" max:"100" doc:"Up to this much of a stream, what consumers of other services have not acknowledged is kept; above it the oldest messages go. From half of it on an alert names such consumers."`
	StopWithin  time.Duration `yaml:"stop_within" default:"20s" min:"1ms" doc:"A soft stop takes at most this long: calls that have begun end, and the other messages go back to the stream."`
	Ownership   Ownership     `yaml:"ownership" doc:"How replicas agree on who owns a tenant."`
	Calls       Calls         `yaml:"calls" doc:"The bounds of every call to a vendor."`
	Breaker     Breaker       `yaml:"breaker" doc:"The circuit breaker of each vendor API."`
	Retries     Retries       `yaml:"retries" doc:"When a failed call is repeated."`
	Doubt       Doubt         `yaml:"doubt" doc:"How a call in doubt is settled."`
	Sweeps      Sweeps        `yaml:"sweeps" doc:"The intervals of the checks in the background."`
}

// Ownership is the beat of the claims by which one replica owns a tenant.
type Ownership struct {
	Renew  time.Duration `yaml:"renew" default:"3s" min:"1ms" doc:"The interval at which an owner renews its claim."`
	Expire time.Duration `yaml:"expire" default:"12s" min:"1ms" doc:"A claim that was not renewed for this long may be taken. It must be at least three times |renew|."`
}

// Calls bounds every call to a vendor.
type Calls struct {
	Timeout     time.Duration `yaml:"timeout" default:"30s" min:"1ms" doc:"One call that writes takes at most this long."`
	ReadTimeout time.Duration `yaml:"read_timeout" default:"6s" min:"1ms" doc:"One call that reads takes at most this long. A new owner waits as long after its predecessor died, since a call may still run."`
	MaxWait     time.Duration `yaml:"max_wait" default:"5s" min:"1ms" doc:"The longest pause of a vendor for which an order keeps its slot. For a longer one the order's wait is recorded, and other orders go on."`
	MaxAnswer   Size          `yaml:"max_answer" default:"4MiB" min:"64KiB" max:"64MiB" doc:"The largest answer that is read."`
}

// Breaker is the circuit breaker that each API of each vendor account has.
type Breaker struct {
	Failures    int           `yaml:"failures" default:"5" min:"1" max:"1000" doc:"How many failures in a row open the breaker. An unreadable answer of HTTP below 500 counts once a minute for each order."`
	OpenFor     time.Duration `yaml:"open_for" default:"30s" min:"1ms" doc:"How long the breaker stays open before one call probes."`
	ProbeDenied time.Duration `yaml:"probe_denied" default:"5m" min:"1ms" doc:"The interval of the probes after the vendor refused the credentials."`
}

// Retries says how often and when what failed is tried again. A tenant's own section overrides it
// setting by setting.
type Retries struct {
	QuickTries    int             `yaml:"quick_tries" default:"6" min:"1" max:"20" doc:"How many tries follow each other, the first included, while the order keeps its slot."`
	QuickFirst    time.Duration   `yaml:"quick_first" default:"500ms" min:"1ms" doc:"The first wait between them; each one doubles."`
	QuickMax      time.Duration   `yaml:"quick_max" default:"8s" min:"1ms" doc:"The longest wait between them."`
	Waits         []time.Duration `yaml:"waits" default:"30s, 2m, 10m, 30m, 1h, 2h" min:"1ms" doc:"The recorded waits after that. The last one repeats."`
	JitterPercent int             `yaml:"jitter_percent" default:"20" min:"0" max:"50" doc:"How much longer a recorded wait may be, at random."`
	GiveUp        time.Duration   `yaml:"give_up" default:"24h" min:"1ms" doc:"After this much waiting while the API was up, the event becomes a dead letter."`
	MissingTries  int             `yaml:"missing_tries" default:"5" min:"0" max:"100" doc:"How many tries for an order that Weiban does not know yet."`
	MissingYoung  time.Duration   `yaml:"missing_young" default:"10m" min:"1ms" doc:"An event younger than this may be ahead of Weiban's own reads."`
	InternalTries int             `yaml:"internal_tries" default:"3" min:"0" max:"100" doc:"How many tries after a fault of the bridge, or after an answer that fails for one order alone."`
}

// Doubt is how a write without a readable outcome is settled.
type Doubt struct {
	Looks []time.Duration `yaml:"looks" default:"10s, 1m" min:"1ms" doc:"How long after the call's deadline its handling record is searched."`
}

// Sweeps are the intervals of the background looks.
type Sweeps struct {
	Expiry  time.Duration `yaml:"expiry" default:"10m" min:"1ms" doc:"How often waiting events that would expire become dead letters."`
	Doubles time.Duration `yaml:"doubles" default:"1h" min:"1ms" doc:"How often handling records are checked for one marker that stands in two."`
	Trim    time.Duration `yaml:"trim" default:"1m" min:"1ms" doc:"How often streams are trimmed below what is done."`
	Stalls  time.Duration `yaml:"stalls" default:"30s" min:"1ms" doc:"How often consumers are checked. A consumer that was paused or changed on the server is created again, and so is one that delivered none of its waiting messages in two checks."`
}

// Name is the replica's name: the setting, or the host's name and the process id, cut to what a
// subject and a bucket key allow.
func (d Dispatcher) Name() string {
	if d.Instance != "" {
		return d.Instance
	}
	return processName()
}

// Name is the name of this ingest among all: the host's and the process id.
func (Ingest) Name() string { return processName() }

func processName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "host"
	}
	name := strings.Map(func(r rune) rune {
		if isIDRune(r) {
			return r
		}
		return '-'
	}, host)
	pid := "-" + strconv.Itoa(os.Getpid())
	return name[:min(len(name), maxID-len(pid))] + pid
}

// Key is the token key's 32 bytes, nil where none is set.
func (d Dispatcher) Key() []byte {
	key, _ := tokenKey(d.TokenKey.Reveal())
	return key
}

// tokenKey reads 32 bytes from hex or from any of the four base64 alphabets.
func tokenKey(text string) ([]byte, bool) {
	decoders := []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	}
	for _, decode := range decoders {
		if key, err := decode(text); err == nil && len(key) == 32 {
			return key, true
		}
	}
	return nil, false
}
