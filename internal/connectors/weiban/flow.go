package weiban

import (
	"slices"
	"strings"

	"gongdan-bridge/internal/events"
)

// clockSlack is how many seconds a row's time may differ from its callback's:
// the one is cut to the second, and the two are written one after the other.
const clockSlack = 1

// FlowFor gives the processing-flow row that a callback is about, if the detail
// has exactly one that can be meant: written in the same second or the one next
// to it, by the staff member who acted, for the handler who is named, with the
// note that was given. A creation belongs to the row of type 1 and to no other.
// A row that only says whom the order waits for (type 2) is meant where no
// other row can be, and only by a switch or a reopening.
//
// Where two rows could be meant, none is: a wrong row would make two events one.
// A row whose deciding members cannot be read could be meant.
func FlowFor(n Notice, w WorkOrder) (*ProcessingFlow, bool) {
	if n.Noun != events.WorkOrder || n.CreateTime.IsZero() || string(w.OrderNo) != n.Key {
		return nil, false
	}
	if w.IsUnread("processing_flows") {
		return nil, false
	}
	var acts, waits []ProcessingFlow
	for _, row := range w.ProcessingFlows {
		switch {
		case slices.ContainsFunc(tells, row.IsUnread):
			return nil, false
		case !n.mayMean(row):
		case row.Type == FlowWaiting:
			waits = append(waits, row)
		default:
			acts = append(acts, row)
		}
	}
	if len(acts) == 0 && (n.Status == StatusSwitch || n.Status == StatusReopen) {
		acts = waits
	}
	if len(acts) != 1 || acts[0].ID == "" {
		return nil, false
	}
	return &acts[0], true
}

// tells are the members of a row that say which event it is about.
var tells = []string{"id", "type", "created_at", "creator_id", "handler_id", "to_id", "content"}

// mayMean says whether nothing speaks against the row, and who acted speaks
// for it.
func (n Notice) mayMean(row ProcessingFlow) bool {
	late := int64(row.CreatedAt) - n.CreateTime.Unix()
	if late < -clockSlack || late > clockSlack {
		return false
	}
	if (row.Type == FlowCreated) != (n.Status == StatusCreate) {
		return false
	}
	m := n.MsgData
	if !names(row.CreatorID, m.StaffID, m.StaffExtID) && !names(row.HandlerID, m.StaffID, m.StaffExtID) {
		return false
	}
	if m.HandlerID != "" && row.ToID != m.HandlerID && row.HandlerID != m.HandlerID {
		return false
	}
	note, written := strings.TrimSpace(string(m.Content.Text)), string(row.Content.Text)
	return note == "" || written == "" || strings.Contains(written, note)
}

func names(id ID, ids ...ID) bool {
	for _, other := range ids {
		if id != "" && id == other {
			return true
		}
	}
	return false
}
