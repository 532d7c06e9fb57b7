package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// pause pauses a stage; that outlives restarts. A stage that is paused already keeps the
// pause that it has.
func (o *owner) pause(ctx context.Context, r orders.Request) orders.Reply {
	return o.hold(ctx, r, true)
}

// unpause lets a paused stage go on.
func (o *owner) unpause(ctx context.Context, r orders.Request) orders.Reply {
	return o.hold(ctx, r, false)
}

func (o *owner) hold(ctx context.Context, r orders.Request, on bool) orders.Reply {
	s := r.Stage
	if s != events.Enrich && s != events.Handle {
		return orders.Reply{Refused: "no such stage; say enrich or handle"}
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	was, err := o.paused(ctx, s)
	switch key, fence := orders.PauseKey(o.t.Name, s), o.tenure.Fence; {
	case err != nil:
		return orders.Reply{Refused: "the pause on record cannot be read: " + err.Error()}
	case on && was == nil:
		var data []byte
		if data, err = json.Marshal(orders.PauseRecord{Who: r.Who, Why: r.Why, At: time.Now().UTC()}); err == nil {
			_, err = o.d.state.PutFenced(ctx, key, data, fence)
		}
	case !on:
		err = o.d.state.DeleteFenced(ctx, key, fence)
	}
	if err != nil {
		return orders.Reply{Refused: "not recorded: " + err.Error()}
	}
	o.apis.Hold(s, on)
	return orders.Reply{Was: was}
}

// paused is a stage's pause on record, nil for none. One that cannot be understood is a
// pause all the same.
func (o *owner) paused(ctx context.Context, s events.Stage) (*orders.PauseRecord, error) {
	e, err := o.d.state.Get(ctx, orders.PauseKey(o.t.Name, s))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &orders.PauseRecord{}
	if err := json.Unmarshal(e.Value, p); err != nil {
		p.Why = fmt.Sprintf("the record of the pause cannot be read: %v", err)
	}
	return p, nil
}

// loadPauses takes over the stages that operators have paused.
func (o *owner) loadPauses(ctx context.Context) error {
	for _, s := range ledger.Stages {
		was, err := o.paused(ctx, s)
		if err != nil {
			return err
		}
		if was != nil {
			o.apis.Hold(s, true)
		}
	}
	return nil
}
