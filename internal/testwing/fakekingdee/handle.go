package fakekingdee

import (
	"fmt"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// orderOf is the order number of a handle-order, "" if it has none.
func orderOf(in request) string {
	body, _ := in.fields["body_"].(map[string]any)
	return text(body["orderNo"])
}

// handleOrder is 服务工单-处理接口. An accepted call leaves one handling record and sets the
// bill's status; the same call again leaves another record.
func (s *Server) handleOrder(in request) script.Answer {
	h, problem := s.check(in.fields)
	bill := s.bills[h.words["orderNo"]]
	switch {
	case problem != "":
	case bill == nil || bill.ID != text(in.fields["id"]):
		problem = "服务工单不存在:" + h.words["orderNo"]
	case s.o.RefuseClosed && (bill.Status == StatusDone || bill.Status == StatusCannotHandle):
		problem = "服务工单已完成,不能处理"
	}
	now := s.o.Clock()
	s.arrivals = append(s.arrivals, Arrival{
		Seq: len(s.arrivals) + 1, At: now, OrderNo: orderOf(in), Remark: h.words["clsmid"], Refusal: problem,
	})
	if problem != "" {
		return refusal(codeBusiness, problem)
	}
	s.apply(bill, h, string(in.Body))
	return success("操作成功")
}

// apply writes the record and changes the bill.
func (s *Server) apply(bill *Bill, h handling, body string) {
	now := s.o.Clock()
	day := now.In(fakevendor.China()).Format("20060102")
	s.perDay[day]++
	r := &DealRecord{
		Seq: len(s.records) + 1, ID: s.nextID(), BillNo: fmt.Sprintf("CLJL-%s-%08d", day, s.perDay[day]),
		OrderNo: bill.OrderNo, At: now, Start: h.words["handlesdate"], End: h.words["handleedate"],
		HandlerID: h.words["handlemanid"], DeptID: h.words["handledeptid"], Status: h.words["combofield"],
		Hours: h.hours, Progress: h.words["processid"], ReasonID: h.words["wtyyid"], SchemeID: h.words["clfaid"],
		ResultID: h.words["cljgid"], Remark: h.words["clsmid"], Others: h.others, Address: h.words["handleAddress"],
		Before: h.before, After: h.after, Body: body,
	}
	s.records, s.recordsOf[r.OrderNo] = append(s.records, r), append(s.recordsOf[r.OrderNo], r)
	bill.Status, bill.Progress = h.words["wxztid"], h.words["processid"]
	bill.HandlerID, bill.DeptID = h.words["handlemanid"], h.words["handledeptid"]
	bill.Hours += h.hours
	bill.CompletedAt = ""
	if bill.Status == StatusDone {
		bill.CompletedAt = h.words["handleedate"]
	}
}
