package fakeweiban

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ListTime is the time that workorder/list filters by; Weiban does not say
// which.
type ListTime int

// The times.
const (
	ByUpdate ListTime = iota
	ByCreation
)

// orderDetail is 获取工单详情.
func (s *Server) orderDetail(in request) (object, int) {
	o := s.orders[in.Query.Get("order_no")]
	if o == nil || s.o.Clock().Before(o.CreatedAt.Add(s.o.ReadLag)) {
		return nil, codeNoOrder
	}
	return object{"work_order": s.detail(o)}, 0
}

// orderList is 获取工单列表. A time alone is ignored, as the page says.
func (s *Server) orderList(in request) (object, int) {
	within, ok := between(in.Query, "start_time", "end_time")
	if !ok {
		return nil, codeParameter
	}
	title := in.Query.Get("title")
	var found []object
	for _, no := range s.sorted() {
		o := s.orders[no]
		at := o.UpdatedAt
		if s.o.ListByTime == ByCreation {
			at = o.CreatedAt
		}
		if within(at) && strings.Contains(o.Title, title) {
			found = append(found, s.row(o))
		}
	}
	rows, total, ok := page(in.Query, found)
	if !ok {
		return nil, codeParameter
	}
	return object{"total": total, "workorder_list": rows}, 0
}

// sorted gives the order numbers in the order of the lists.
func (s *Server) sorted() []string {
	return sortedBy(s.orderNos, s.o.OldestFirst)
}

func sortedBy[T any](in []T, oldestFirst bool) []T {
	out := append([]T(nil), in...)
	if oldestFirst {
		return out
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// opportunityOne is 获取商机详情.
func (s *Server) opportunityOne(in request) (object, int) {
	id, serial := in.Query.Get("id"), in.Query.Get("serial_number")
	if id == "" && serial == "" {
		return nil, codeNoReference
	}
	for _, o := range s.deals {
		if (id == "" || id == strconv.FormatInt(o.ID, 10)) && (serial == "" || serial == o.SerialNumber) {
			return object{"opportunity": s.one(o)}, 0
		}
	}
	return nil, codeNoOpportunity
}

// opportunityList is 获取商机列表. Its page shows no answer: the name of the list
// and its rows, which are whole opportunities here, are the simulator's.
func (s *Server) opportunityList(in request) (object, int) {
	created, ok1 := between(in.Query, "start_time", "end_time")
	updated, ok2 := between(in.Query, "update_start_time", "update_end_time")
	serial := in.Query.Get("serial_number")
	var found []object
	for _, id := range sortedBy(s.dealIDs, s.o.OldestFirst) {
		o := s.deals[id]
		if created(o.CreatedAt) && updated(o.UpdatedAt) && (serial == "" || serial == o.SerialNumber) {
			found = append(found, s.one(o))
		}
	}
	rows, total, ok3 := page(in.Query, found)
	if !ok1 || !ok2 || !ok3 {
		return nil, codeParameter
	}
	return object{"total": total, "opportunity_list": rows}, 0
}

// staffGet is 员工详情.
func (s *Server) staffGet(in request) (object, int) {
	p, ok := s.staff[in.Query.Get("staff_id")]
	if !ok {
		return nil, codeStaffUnknown
	}
	return object{"staff": p.raw(true, false)}, 0
}

// staffList is 员工列表; the times are of the last update.
func (s *Server) staffList(in request) (object, int) {
	within, ok := between(in.Query, "start_time", "end_time")
	departments := in.Query.Get("fields") == `["department"]`
	var found []object
	for _, id := range s.staffOrder {
		if p := s.staff[id]; within(p.UpdatedAt) {
			found = append(found, p.raw(false, departments))
		}
	}
	rows, total, ok2 := page(in.Query, found)
	if !ok || !ok2 {
		return nil, codeParameter
	}
	return object{"total": total, "staff_list": rows}, 0
}

// between reads a range of seconds, both ends included. One end alone is as
// none; ok is false if a time is not a number.
func between(q url.Values, from, to string) (within func(time.Time) bool, ok bool) {
	always := func(time.Time) bool { return true }
	if q.Get(from) == "" || q.Get(to) == "" {
		return always, true
	}
	a, err1 := strconv.ParseInt(q.Get(from), 10, 64)
	b, err2 := strconv.ParseInt(q.Get(to), 10, 64)
	if err1 != nil || err2 != nil {
		return always, false
	}
	return func(t time.Time) bool { return a <= t.Unix() && t.Unix() <= b }, true
}

// page cuts one page: limit 30 unless told, 100 at most; more is a parameter
// error here.
func page(q url.Values, found []object) (rows []object, total int, ok bool) {
	limit, ok1 := number(q.Get("limit"), 30)
	offset, ok2 := number(q.Get("offset"), 0)
	if !ok1 || !ok2 || limit < 1 || limit > 100 || offset < 0 {
		return nil, 0, false
	}
	offset = min(offset, len(found))
	rows = append([]object{}, found[offset:min(offset+limit, len(found))]...)
	return rows, len(found), true
}

func number(text string, otherwise int) (int, bool) {
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
