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
	Epoch    uint64    `json:"epoch"` // grows with every change of hands, and with every tenure
	Since    time.Time `json:"since"` // by the owner's clock; for people only
	Released bool      `json:"released,omitempty"`
	// Clean says of a released claim that no vendor call can still be running:
	// the stages ended softly, and what an owner that died before may have left
	// behind has had its time.
	Clean bool `json:"clean,omitempty"`
}

// beat is the value of alive.<instance>.
type beat struct {
	Session string   `json:"session"` // of the process: two with one name never share a lease
	Tenants []string `json:"tenants"` // that it serves; none when it leaves
}

// decodeClaim reads a claim. One that cannot be read has no owner that could renew
// it, and its epoch, unknown, is at most its revision.
func decodeClaim(e bus.Entry) Claim {
	var c Claim
	if err := json.Unmarshal(e.Value, &c); err != nil {
		c = Claim{Epoch: e.Revision}
	}
	c.Revision = e.Revision
	return c
}

// decodeBeat reads a beat. One that cannot be read is of a process that lives and
// serves nothing that we know of.
func decodeBeat(e bus.Entry) beat {
	var b beat
	if err := json.Unmarshal(e.Value, &b); err != nil {
		return beat{}
	}
	return b
}

// encode writes a claim or a beat: plain values, which always have a JSON form.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ownership: " + err.Error())
	}
	return b
}
