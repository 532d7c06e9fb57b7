package dispatch

import (
	"strings"

	"gongdan-bridge/internal/orders"
)

func (o *owner) trouble() orders.TroubleReply {
	var a orders.TroubleReply
	for _, err := range []error{o.why(), o.d.storeReady(), o.refused()} {
		if err != nil {
			a.Trouble = append(a.Trouble, strings.Split(err.Error(), "\n")...)
		}
	}
	return a
}

// refused is why a changed mapping is not in force, nil if it is.
func (o *owner) refused() error {
	if o.t.Refused == nil {
		return nil
	}
	return o.t.Refused()
}
