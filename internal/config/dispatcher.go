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
	Admin       string        `yaml:"admin"`        // host:port of health and metrics
	Instance    string        `yaml:"instance"`     // "": see Name
	Concurrency int           `yaml:"concurrency"`  // orders side by side, per tenant and stage
	TokenKey    Secret        `yaml:"token_key"`    // see Key
	AckWait     time.Duration `yaml:"ack_wait"`     // until JetStream delivers again
	MaxHeld     int           `yaml:"max_held"`     // messages in memory, per consumer
	KeepSettled time.Duration `yaml:"keep_settled"` // life of a settled order's record
	StopWithin  time.Duration `yaml:"stop_within"`  // of a soft stop
	Ownership   Ownership     `yaml:"ownership"`
	Calls       Calls         `yaml:"calls"`
	Breaker     Breaker       `yaml:"breaker"`
	Retries     Retries       `yaml:"retries"`
	Doubt       Doubt         `yaml:"doubt"`
	Sweeps      Sweeps        `yaml:"sweeps"`
}

// Ownership is the beat of the claims by which one replica owns a tenant.
type Ownership struct {
	Renew  time.Duration `yaml:"renew"`  // beat
	Expire time.Duration `yaml:"expire"` // at least three beats
}

// Calls bounds every call to a vendor.
type Calls struct {
	Timeout     time.Duration `yaml:"timeout"`      // of one call
	ReadTimeout time.Duration `yaml:"read_timeout"` // of one call that only reads
	MaxWait     time.Duration `yaml:"max_wait"`     // longest pause sat out in place
	MaxAnswer   Size          `yaml:"max_answer"`   // largest answer read
}

// Breaker is the circuit breaker that each API of each vendor account has.
type Breaker struct {
	Failures    int           `yaml:"failures"`     // in a row
	OpenFor     time.Duration `yaml:"open_for"`     // before one call probes
	ProbeDenied time.Duration `yaml:"probe_denied"` // beat of the probes after refused credentials
}

// Retries says how often and when what failed is tried again. A tenant's own section overrides it
// setting by setting.
type Retries struct {
	QuickTries    int             `yaml:"quick_tries"`    // in a row, the first included
	QuickFirst    time.Duration   `yaml:"quick_first"`    // first backoff; each doubles
	QuickMax      time.Duration   `yaml:"quick_max"`      // longest backoff
	Waits         []time.Duration `yaml:"waits"`          // on record; the last repeats
	JitterPercent int             `yaml:"jitter_percent"` // of a wait, on top of it
	GiveUp        time.Duration   `yaml:"give_up"`        // of waiting with the API up
	MissingTries  int             `yaml:"missing_tries"`  // for what Weiban does not know yet
	MissingYoung  time.Duration   `yaml:"missing_young"`  // age below which that may be
	InternalTries int             `yaml:"internal_tries"` // after a fault of our own
}

// Doubt is how a write without a readable outcome is settled.
type Doubt struct {
	Looks []time.Duration `yaml:"looks"` // after the call's deadline
}

// Sweeps are the intervals of the background looks.
type Sweeps struct {
	Expiry  time.Duration `yaml:"expiry"`  // of waiting events
	Doubles time.Duration `yaml:"doubles"` // of records with one marker
	Trim    time.Duration `yaml:"trim"`    // of what is done
	Stalls  time.Duration `yaml:"stalls"`  // of consumers that make no progress
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
