package dispatch

import (
	"context"
	"encoding/json"
	"fmt"

	"gongdan-bridge/internal/orders"
)

// staff reads the list with the calls that the tenant's quota leaves.
func (o *owner) staff(ctx context.Context) orders.StaffReply {
	ctx, cancel := context.WithTimeout(ctx, orders.StaffWait)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)() // as any call of the owner
	list, err := o.t.Weiban.Staff(ctx)
	if err != nil {
		return orders.StaffReply{Refused: err.Error()}
	}
	a := orders.StaffReply{}
	for _, x := range list {
		a.Staff = append(a.Staff, orders.Staff{ID: string(x.ID), Name: string(x.Name), Department: x.Department})
	}
	raw, err := json.Marshal(a)
	if limit := o.d.o.Ports.Log.MaxPayload() - headroom; err == nil && int64(len(raw)) > limit {
		return orders.StaffReply{Refused: fmt.Sprintf("the list of %d members has %d bytes, more than the NATS server takes (%d): raise its max_payload", len(list), len(raw), limit)}
	}
	return a
}
