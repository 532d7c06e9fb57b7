package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/deadletter"
)

// judge shows what Kingdee now holds and what lies in dead letters, and says
// whether that is what the story must end with.
func (w *world) judge(ctx context.Context, orders []*order, e *ends) error {
	letters, err := e.letters(ctx)
	if err != nil {
		return err
	}
	w.say.heading("What Kingdee now holds  金蝶现有处理记录")
	w.say.print(w.records(orders))
	w.say.heading("What lies in dead letters  死信")
	w.say.print(shelf(letters))
	faults := w.faults(orders, letters)
	if len(faults) == 0 {
		w.say.heading(fmt.Sprintf("As expected: %d callbacks, each ended once; %d letter mended and replayed.  结果符合预期。", e.total-w.mended, w.mended))
		return nil
	}
	w.say.heading("Not as expected  结果不符合预期")
	for _, f := range faults {
		w.say.print("  " + f)
	}
	return fmt.Errorf("%w: %s", ErrUnexpected, strings.Join(faults, "; "))
}

func (w *world) records(orders []*order) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"work order 工单", "bill 服务工单", "status 状态", "record 处理记录", "handler 处理人", "note 说明", "pictures 照片"})
	for _, o := range orders {
		bill, _ := w.kingdee.Bill(o.bill)
		for _, r := range w.kingdee.Records(o.bill) {
			t.AppendRow(table.Row{o.name, o.bill, r.Status, r.BillNo, r.HandlerID, r.Remark, len(r.After)})
		}
		if len(w.kingdee.Records(o.bill)) == 0 {
			t.AppendRow(table.Row{o.name, o.bill, bill.Status, "–", "–", "–", "–"})
		}
	}
	return t.Render()
}

func shelf(letters []deadletter.Open) string {
	if len(letters) == 0 {
		return "none  无"
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 5, WidthMax: 70, WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"no.", "stage", "kind 类别", "order 工单", "why 原因"})
	for _, l := range letters {
		t.AppendRow(table.Row{l.Number, l.Stage, l.Kind, l.Key, l.Reason})
	}
	return t.Render()
}

// faults compares the end with what it must be.
func (w *world) faults(orders []*order, letters []deadletter.Open) []string {
	var out []string
	for _, o := range orders {
		var got []string
		records := w.kingdee.Records(o.bill)
		for _, r := range records {
			got = append(got, r.Status)
		}
		if len(records) > 0 {
			out = append(out, w.photoFaults(o, records[len(records)-1])...)
		}
		if !slices.Equal(got, o.wants) {
			out = append(out, fmt.Sprintf("%s has the records %v, not %v", o.name, got, o.wants))
		}
	}
	if len(letters) > 0 {
		out = append(out, fmt.Sprintf("%d dead letters are left", len(letters)))
	}
	for _, b := range w.weiban.Breaches() {
		out = append(out, fmt.Sprintf("Weiban's quota was breached: %v", b))
	}
	for _, b := range w.kingdee.Breaches() {
		out = append(out, fmt.Sprintf("Kingdee's quota was breached: %v", b))
	}
	return out
}
