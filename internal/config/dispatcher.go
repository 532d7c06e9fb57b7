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
	Admin       string        `yaml:"admin"`
	Instance    string        `yaml:"instance"`
	Concurrency int           `yaml:"concurrency"`
	TokenKey    Secret        `yaml:"token_key"`
	AckWait     time.Duration `yaml:"ack_wait"`
	MaxHeld     int           `yaml:"max_held"`
	KeepSettled time.Duration `yaml:"keep_settled"`
	StopWithin  time.Duration `yaml:"stop_within"`
	Ownership   Ownership     `yaml:"ownership"`
	Calls       Calls         `yaml:"calls"`
	Breaker     Breaker       `yaml:"breaker"`
	Retries     Retries       `yaml:"retries"`
	Doubt       Doubt         `yaml:"doubt"`
	Sweeps      Sweeps        `yaml:"sweeps"`
}

// Ownership is the beat of the claims by which one replica owns a tenant.
type Ownership struct {
	Renew  time.Duration `yaml:"renew"`
	Expire time.Duration `yaml:"expire"`
}

// Calls bounds every call to a vendor.
type Calls struct {
	Timeout   time.Duration `yaml:"timeout"`
	MaxWait   time.Duration `yaml:"max_wait"`
	MaxAnswer Size          `yaml:"max_answer"`
}

// Breaker is the circuit breaker that each API of each vendor account has.
type Breaker struct {
	Failures    int           `yaml:"failures"`
	OpenFor     time.Duration `yaml:"open_for"`
	ProbeDenied time.Duration `yaml:"probe_denied"`
}

// Retries says how often and when what failed is tried again. A tenant's own section overrides it
// setting by setting.
type Retries struct {
	QuickTries    int             `yaml:"quick_tries"`
	QuickFirst    time.Duration   `yaml:"quick_first"`
	QuickMax      time.Duration   `yaml:"quick_max"`
	Waits         []time.Duration `yaml:"waits"`
	JitterPercent int             `yaml:"jitter_percent"`
	GiveUp        time.Duration   `yaml:"give_up"`
	MissingTries  int             `yaml:"missing_tries"`
	MissingYoung  time.Duration   `yaml:"missing_young"`
	InternalTries int             `yaml:"internal_tries"`
}

// Doubt is how a write without a readable outcome is settled.
type Doubt struct {
	Looks []time.Duration `yaml:"looks"`
}

// Sweeps are the intervals of the background looks.
type Sweeps struct {
	Expiry  time.Duration `yaml:"expiry"`
	Doubles time.Duration `yaml:"doubles"`
	Trim    time.Duration `yaml:"trim"`
}

// Name is the replica's name: the setting, or the host's name and the process id, cut to what a
// subject and a bucket key allow.
func (d Dispatcher) Name() string {
	if d.Instance != "" {
		return d.Instance
	}
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
