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
	Admin       string        `yaml:"admin" type:"address" default:"127.0.0.1:9091" doc:"|/healthz|, |/readyz|, |/metrics| of |dispatcher|"`
	Instance    string        `yaml:"instance" type:"id" doc:"this replica's name, its own among all; absent: host name and process id"`
	Concurrency int           `yaml:"concurrency" default:"16" min:"1" max:"1024" doc:"orders side by side, per tenant and stage"`
	TokenKey    Secret        `yaml:"token_key" check:"token_key" doc:"32 bytes in base64 or hex that encrypt vendor tokens in the bucket |TOKENS|; absent: tokens stay in memory"`
	AckWait     time.Duration `yaml:"ack_wait" default:"1m" min:"1ms" doc:"after this silence JetStream delivers a message again"`
	MaxHeld     int           `yaml:"max_held" default:"256" min:"1" max:"65536" doc:"messages held in memory behind those that run, per consumer"`
	KeepSettled time.Duration `yaml:"keep_settled" default:"9600h" min:"1h" doc:"how long the record of a settled order stays"`
	StopWithin  time.Duration `yaml:"stop_within" default:"20s" min:"1ms" doc:"longest time of a soft stop: calls that have begun end, and the other messages go back to the stream"`
	Ownership   Ownership     `yaml:"ownership" doc:"which replica owns a tenant"`
	Calls       Calls         `yaml:"calls" doc:"bounds of every call to a vendor"`
	Breaker     Breaker       `yaml:"breaker" doc:"the circuit breaker of each vendor API"`
	Retries     Retries       `yaml:"retries" doc:"when what failed is tried again"`
	Doubt       Doubt         `yaml:"doubt" doc:"a write without a readable outcome"`
	Sweeps      Sweeps        `yaml:"sweeps" doc:"beats of the looks in the background"`
}

// Ownership is the beat of the claims by which one replica owns a tenant.
type Ownership struct {
	Renew  time.Duration `yaml:"renew" default:"3s" min:"1ms" doc:"beat of the claims"`
	Expire time.Duration `yaml:"expire" default:"12s" min:"1ms" doc:"a claim not renewed for so long may be taken; at least three beats"`
}

// Calls bounds every call to a vendor.
type Calls struct {
	Timeout     time.Duration `yaml:"timeout" default:"30s" min:"1ms" doc:"deadline of one call that writes"`
	ReadTimeout time.Duration `yaml:"read_timeout" default:"6s" min:"1ms" doc:"bound of one call that reads; a new owner waits so long after a death, since calls of the dead one may still run"`
	MaxWait     time.Duration `yaml:"max_wait" default:"5s" min:"1ms" doc:"longest wait in place for a vendor's pause; longer ones are put on record"`
	MaxAnswer   Size          `yaml:"max_answer" default:"4MiB" min:"64KiB" max:"64MiB" doc:"largest answer read"`
}

// Breaker is the circuit breaker that each API of each vendor account has.
type Breaker struct {
	Failures    int           `yaml:"failures" default:"5" min:"1" max:"1000" doc:"failures in a row that open it; an unreadable answer of HTTP below 500 counts once a minute for each order"`
	OpenFor     time.Duration `yaml:"open_for" default:"30s" min:"1ms" doc:"how long it stays open before one call probes"`
	ProbeDenied time.Duration `yaml:"probe_denied" default:"5m" min:"1ms" doc:"beat of the probes after refused credentials"`
}

// Retries says how often and when what failed is tried again. A tenant's own section overrides it
// setting by setting.
type Retries struct {
	QuickTries    int             `yaml:"quick_tries" default:"6" min:"1" max:"20" doc:"tries in a row, the first included, while the order's turn lasts"`
	QuickFirst    time.Duration   `yaml:"quick_first" default:"500ms" min:"1ms" doc:"first backoff; each one doubles"`
	QuickMax      time.Duration   `yaml:"quick_max" default:"8s" min:"1ms" doc:"longest backoff"`
	Waits         []time.Duration `yaml:"waits" default:"30s, 2m, 10m, 30m, 1h, 2h" min:"1ms" doc:"waits on record; the last one repeats"`
	JitterPercent int             `yaml:"jitter_percent" default:"20" min:"0" max:"50" doc:"how much longer a wait may be, at random"`
	GiveUp        time.Duration   `yaml:"give_up" default:"24h" min:"1ms" doc:"after so much waiting with the API up: a dead letter"`
	MissingTries  int             `yaml:"missing_tries" default:"5" min:"0" max:"100" doc:"tries for what Weiban does not know yet"`
	MissingYoung  time.Duration   `yaml:"missing_young" default:"10m" min:"1ms" doc:"an event younger than this may be ahead of Weiban's own reads"`
	InternalTries int             `yaml:"internal_tries" default:"3" min:"0" max:"100" doc:"tries after a fault of our own, or for an answer that fails for one order alone"`
}

// Doubt is how a write without a readable outcome is settled.
type Doubt struct {
	Looks []time.Duration `yaml:"looks" default:"10s, 1m" min:"1ms" doc:"how long after the call's deadline its record is looked for"`
}

// Sweeps are the intervals of the background looks.
type Sweeps struct {
	Expiry  time.Duration `yaml:"expiry" default:"10m" min:"1ms" doc:"waiting events that would leave the stream become letters"`
	Doubles time.Duration `yaml:"doubles" default:"1h" min:"1ms" doc:"two handling records with one marker raise an alert"`
	Trim    time.Duration `yaml:"trim" default:"1m" min:"1ms" doc:"streams are trimmed below what is done"`
	Stalls  time.Duration `yaml:"stalls" default:"30s" min:"1ms" doc:"how often consumers are checked; a consumer that was paused or changed on the server is created again, and so is one that delivered none of its waiting messages in two checks"`
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
