package weiban

import (
	"testing"
	"time"

	"gongdan-bridge/internal/events"
)

func TestFlowForTiesOnlyWhatIsCertain(t *testing.T) {
	const at = 1640244967
	notice := func(status string, m MsgData) Notice {
		m.OrderNo = "12"
		if m.StaffID == "" {
			m.StaffID = "Li"
		}
		return Notice{Noun: events.WorkOrder, Key: "12", Status: status, CreateTime: time.UnixMilli(at*1000 + 924).UTC(), MsgData: m}
	}
	row := func(id ID, typ Int, late Unix, creator, handler, to ID, text Text) ProcessingFlow {
		return ProcessingFlow{ID: id, Type: typ, CreatedAt: at + late, CreatorID: creator, HandlerID: handler, ToID: to, Content: Content{Text: text}}
	}
	note := func(text Text) MsgData { return MsgData{Content: Content{Text: text}} }
	created, waiting := row("1", FlowCreated, 0, "Li", "Li", "", ""), row("2", FlowWaiting, 0, "Li", "Wu", "Wu", "")
	tests := []struct {
		name   string
		notice Notice
		rows   []ProcessingFlow
		want   ID // "" = not tied
	}{
		{"creation, and not what waits since", notice("create", MsgData{}), []ProcessingFlow{waiting, created}, "1"},
		{"creation without its row", notice("create", MsgData{}), []ProcessingFlow{waiting}, ""},
		{"reply is no creation", notice("reply", MsgData{}), []ProcessingFlow{created}, ""},
		{"one row by that person", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, 0, "Li", "Wu", "", ""), row("8", 5, 0, "Wu", "Wu", "", "")}, "7"},
		{"the actor as the row's handler", notice("close", MsgData{}), []ProcessingFlow{row("7", 9, 0, "Wu", "Li", "", "")}, "7"},
		{"by his other id", notice("close", MsgData{StaffExtID: "ext"}), []ProcessingFlow{row("7", 9, 0, "ext", "", "", "")}, "7"},
		{"by nobody who is named", notice("close", MsgData{}), []ProcessingFlow{row("7", 9, 0, "", "", "", "")}, ""},
		{"two that could be meant", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, 0, "Li", "", "", ""), row("8", 5, 0, "Li", "", "", "")}, ""},
		{"two, in seconds side by side", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, 0, "Li", "", "", ""), row("8", 5, 1, "Li", "", "", "")}, ""},
		{"two that the note tells apart", notice("reply", note(" second ")), []ProcessingFlow{row("7", 5, 0, "Li", "", "", "first"), row("8", 5, 0, "Li", "", "", "员工Li: second")}, "8"},
		{"another note", notice("reply", note("second")), []ProcessingFlow{row("7", 5, 0, "Li", "", "", "first")}, ""},
		{"a second earlier", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, -1, "Li", "", "", "")}, "7"},
		{"two seconds earlier", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, -2, "Li", "", "", "")}, ""},
		{"two seconds later", notice("reply", MsgData{}), []ProcessingFlow{row("7", 5, 2, "Li", "", "", "")}, ""},
		{"switch to the one named", notice("switch", MsgData{HandlerID: "Wu"}), []ProcessingFlow{row("7", 4, 0, "Li", "Li", "Wu", ""), waiting}, "7"},
		{"switch to another", notice("switch", MsgData{HandlerID: "Zhao"}), []ProcessingFlow{row("7", 4, 0, "Li", "Li", "Wu", ""), waiting}, ""},
		{"switch that left only who waits", notice("switch", MsgData{HandlerID: "Wu"}), []ProcessingFlow{waiting}, "2"},
		{"close is not who waits", notice("close", MsgData{}), []ProcessingFlow{waiting}, ""},
		{"row without an id", notice("reply", MsgData{}), []ProcessingFlow{row("", 5, 0, "Li", "", "", "")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := WorkOrder{OrderNo: "12", ProcessingFlows: tt.rows}
			got, ok := FlowFor(tt.notice, w)
			if ok != (tt.want != "") || ok && got.ID != tt.want {
				t.Errorf("got %+v %v, want row %q", got, ok, tt.want)
			}
			w.OrderNo = "13"
			if _, ok := FlowFor(tt.notice, w); ok {
				t.Error("tied to a row of another work order")
			}
			w.OrderNo, tt.notice.CreateTime = "12", time.Time{}
			if _, ok := FlowFor(tt.notice, w); ok {
				t.Error("tied without a time")
			}
		})
	}
}
