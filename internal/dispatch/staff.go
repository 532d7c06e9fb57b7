package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
)

// staffWait bounds the reading of a staff list, a page of a hundred a call.
const staffWait = 2 * time.Minute

// Staff is a member of Weiban's staff list (员工).
type Staff struct {
	ID         string   `json:"id"`
	Name       string   `json:"name,omitempty"`
	Department []string `json:"department,omitempty"` // 部门id
}

// staffReply is the owner's answer to [VerbStaff].
type staffReply struct {
	Refused string  `json:"refused,omitempty"`
	Staff   []Staff `json:"staff,omitempty"`
}

// StaffOf has the tenant's owner read Weiban's staff list: the owner alone knows how
// many of the tenant's calls are in progress. [bus.ErrNoResponders] where the
// tenant has no owner, and so no call in progress either.
func StaffOf(ctx context.Context, b *bus.Bus, tenant string) ([]Staff, error) {
	ctx, cancel := context.WithTimeout(ctx, staffWait+5*time.Second)
	defer cancel()
	var a staffReply
	if err := exchange(ctx, b, tenant, VerbStaff, []byte("{}"), &a); err != nil {
		return nil, err
	}
	if a.Refused != "" {
		return nil, fmt.Errorf("staff list of %s: %w: %s", tenant, ErrRefused, a.Refused)
	}
	return a.Staff, nil
}

// staff reads the list with the calls that the tenant's quota leaves.
func (o *owner) staff(ctx context.Context) staffReply {
	ctx, cancel := context.WithTimeout(ctx, staffWait)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)() // as any call of the owner
	list, err := o.t.Weiban.Staff(ctx)
	if err != nil {
		return staffReply{Refused: err.Error()}
	}
	a := staffReply{}
	for _, x := range list {
		a.Staff = append(a.Staff, Staff{ID: string(x.ID), Name: string(x.Name), Department: x.Department})
	}
	raw, err := json.Marshal(a)
	if limit := o.d.o.Ports.Log.MaxPayload() - headroom; err == nil && int64(len(raw)) > limit {
		return staffReply{Refused: fmt.Sprintf("the list of %d members has %d bytes, more than the NATS server takes (%d): raise its max_payload", len(list), len(raw), limit)}
	}
	return a
}
