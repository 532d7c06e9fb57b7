package ownership

import (
	"encoding/json"
	"time"

	"gongdan-bridge/internal/bus"
)

// Claim is the value of owner.<tenant>.
type Claim struct {
	Revision uint64    `json:"-"` // of the key: the fence, and what a change compares with
	Instance string    `json:"instance"`
	Epoch    uint64    `json:"epoch"` // grows with every tenure
	Since    time.Time `json:"since"` // by the owner's clock; for people only
	Released bool      `json:"released,omitempty"`
	// Clean, of a released claim, means that no vendor call can still be running: the
	// stages ended softly, and every call of an earlier owner has ended.
	Clean bool `json:"clean,omitempty"`
}

// beat is the value of alive.<instance>.
type beat struct {
	Session string   `json:"session"` // of the process: two processes with one name never share a lease
	Tenants []string `json:"tenants"` // it serves these; none when it leaves
}

// decodeClaim reads a claim. An unreadable claim has no owner; its epoch is at most its
// revision.
func decodeClaim(e bus.Entry) Claim {
	var c Claim
	if err := json.Unmarshal(e.Value, &c); err != nil {
		c = Claim{Epoch: e.Revision}
	}
	c.Revision = e.Revision
	return c
}

// decodeBeat reads a beat. An unreadable beat belongs to a living process that serves no
// known tenant.
func decodeBeat(e bus.Entry) beat {
	var b beat
	if err := json.Unmarshal(e.Value, &b); err != nil {
		return beat{}
	}
	return b
}

// encode returns the JSON of a claim or a beat.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ownership: " + err.Error())
	}
	return b
}
