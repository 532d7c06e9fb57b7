package facts

import (
	"slices"
	"time"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/textfile"
)

// history is the rows of the order's history up to the event, oldest first. The
// detail is the state now: what came after the event is left out.
func (f *Facts) history() []weiban.ProcessingFlow {
	if f.WorkOrder == nil {
		return nil
	}
	rows := f.WorkOrder.Flows() // newest first
	slices.Reverse(rows)
	if f.Flow != nil {
		at := slices.IndexFunc(rows, func(r weiban.ProcessingFlow) bool { return r.ID == f.Flow.ID })
		end := at + 1
		for end < len(rows) && rows[end].Type == weiban.FlowWaiting && rows[end].CreatedAt == f.Flow.CreatedAt {
			end++ // whom the order waits for since the event
		}
		return rows[:end]
	}
	moment := f.moment()
	if moment.IsZero() {
		return rows
	}
	return slices.DeleteFunc(rows, func(r weiban.ProcessingFlow) bool {
		return r.CreatedAt.Time().Unix() > moment.Unix()
	})
}

// moment is when the event happened, to the second where a row says it.
func (f *Facts) moment() time.Time {
	switch {
	case f.Flow != nil:
		return f.Flow.CreatedAt.Time()
	case !f.Callback.CreateTime.IsZero():
		return f.Callback.CreateTime
	}
	return f.Event.Time
}

// Began is when the last step of that staff member began, up to the event: when
// the order was last handed to them. What they hand over with the event itself
// does not count for them. Where no row hands the order to anybody, its creation
// counts.
func (f *Facts) Began(staff string) (time.Time, error) {
	at, _, err := f.step(staff)
	return at, err
}

// Ended is when that step ended: when the order went to somebody else, or else
// the event.
func (f *Facts) Ended(staff string) (time.Time, error) {
	_, rest, err := f.step(staff)
	if err != nil {
		return time.Time{}, err
	}
	for i := range rest {
		if r := &rest[i]; r.ToID != "" && string(r.ToID) != staff {
			return r.CreatedAt.Time(), nil
		}
	}
	if at := f.moment(); !at.IsZero() {
		return at.Truncate(time.Second), nil
	}
	return time.Time{}, &Missing{Reason: "the event has no time"}
}

// step finds where the step of that staff member began, and the rows after it.
func (f *Facts) step(staff string) (time.Time, []weiban.ProcessingFlow, error) {
	if _, err := f.rows("id", "type", "created_at", "to_id"); err != nil {
		return time.Time{}, nil, err
	}
	rows, last, handed, unclear := f.past, -1, false, false
	for i := range rows {
		r := &rows[i]
		if r.ToID == "" {
			continue
		}
		handed = true
		switch {
		case string(r.ToID) != staff:
		case !f.acts(staff) || !f.own(i):
			last = i
		case f.Flow == nil:
			unclear = true
		}
	}
	switch {
	case last >= 0:
		return rows[last].CreatedAt.Time(), rows[last+1:], nil
	case f.WorkOrder != nil && !handed && f.WorkOrder.CreatedAt != 0:
		return f.WorkOrder.CreatedAt.Time(), rows, nil
	}
	if unclear {
		return time.Time{}, nil, &Missing{Word: textfile.Shorten(staff), Reason: "the row that hands it to this staff member was written in the event's own second, and no row can be tied to the event"}
	}
	return time.Time{}, nil, &Missing{Word: textfile.Shorten(staff), Reason: "no row of the order's history hands it to this staff member"}
}

func (f *Facts) acts(staff string) bool {
	return staff != "" && (string(f.Callback.StaffID) == staff || string(f.Callback.StaffExtID) == staff)
}

// own says whether the event itself wrote the i-th row up to it. What was written
// in the same second and stands before the event's row was there before, as where
// an order is closed as soon as it is made.
func (f *Facts) own(i int) bool {
	if f.Flow == nil {
		return !f.Callback.CreateTime.IsZero() && int64(f.past[i].CreatedAt) == f.Callback.CreateTime.Unix()
	}
	return i >= slices.IndexFunc(f.past, func(r weiban.ProcessingFlow) bool { return r.ID == f.Flow.ID })
}
