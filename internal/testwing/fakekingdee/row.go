package fakekingdee

import (
	"maps"
	"slices"
	"strings"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// Names of the entities that can be read.
const (
	EntityBill   = "wg_service_workorder"
	EntityRecord = "wg_deal_record"
)

// row is one bill or record with its properties; a value is a plain one, an
// Item (a reference) or []Item (a multi-select reference).
type row map[string]any

// blank returns a row of an entity without content; false for an unknown entity.
func (s *Server) blank(entity string) (row, bool) {
	switch entity {
	case EntityBill:
		return s.billRow(&Bill{}), true
	case EntityRecord:
		return s.recordRow(&DealRecord{}), true
	}
	return nil, false
}

// rows returns an entity's rows, oldest first. It may leave out rows that an "=" on the
// bill's number or id excludes.
func (s *Server) rows(entity string, and []filter) []row {
	var out []row
	if entity == EntityBill {
		nos := s.billNos
		if no, ok := equals(and, "billno"); ok {
			nos = []string{no}
		}
		if id, ok := equals(and, "id"); ok {
			nos = nil
			if b := s.billByID[id]; b != nil {
				nos = []string{b.OrderNo}
			}
		}
		for _, no := range nos {
			if b := s.bills[no]; b != nil {
				out = append(out, s.billRow(b))
			}
		}
		return out
	}
	records := s.records
	if no, ok := equals(and, "sourcebillno"); ok {
		records = s.recordsOf[no]
	}
	now := s.o.Clock()
	for _, r := range records {
		if !now.Before(r.At.Add(s.o.ReadLag)) {
			out = append(out, s.recordRow(r))
		}
	}
	return out
}

// equals finds the value that a property must have.
func equals(and []filter, property string) (string, bool) {
	for _, f := range and {
		if f.property == property && f.cp == "=" {
			return f.value, true
		}
	}
	return "", false
}

func (s *Server) billRow(b *Bill) row {
	handler, _ := find(s.base.Employees, b.HandlerID)
	dept, _ := find(s.base.Departments, b.DeptID)
	none := []any{}
	return row{
		"id": b.ID, "billno": b.OrderNo, "billdate": b.Date.In(fakevendor.China()).Format("2006-01-02"),
		"feedbacktype": "", "feedbackdate": b.Date.In(fakevendor.China()).Format(layout), "dealman": handler, "dealdept": dept,
		"custdldate": "", "dispatchman": Item{}, "dispatchdept": Item{}, "project": Item{},
		"actualcompletiontime": b.CompletedAt, "totalservicehours": b.Hours, "completionprogress": b.Progress,
		"billstatus": b.Status, "servicecustomer": Item{ID: "1700000000000000001", Number: "KH001", Name: b.Customer},
		"linkman": b.Customer, "department": "", "job": "", "mobile": b.Mobile, "email": "", "telephone": "",
		"wg_admindivisionfield": "", "address": b.Address, "wg_scoreplan": Item{}, "wg_lifespanday": 0,
		"promble": b.Problem, "comment": "", "material_entity": none, "wg_scoreplandetail": none,
		"entryentity1": none, "entryentity2": none, "wg_allocationsentry": none,
	}
}

func (s *Server) recordRow(r *DealRecord) row {
	emp, _ := find(s.base.Employees, r.HandlerID)
	dept, _ := find(s.base.Departments, r.DeptID)
	reason, _ := find(s.base.Reasons, r.ReasonID)
	scheme, _ := find(s.base.Schemes, r.SchemeID)
	result, _ := find(s.base.Results, r.ResultID)
	others := []Item{}
	for _, id := range r.Others {
		it, _ := find(s.base.Employees, id)
		others = append(others, it)
	}
	return row{
		"id": r.ID, "billno": r.BillNo, "sourcebillno": r.OrderNo, "feedbackno": "", "emp": emp, "dept": dept,
		"wg_reason": reason, "wg_scheme": scheme, "wg_result": result, "startdate": r.Start, "enddate": r.End,
		"mulemp": others, "combofield": r.Status, "workinghours": r.Hours, "completionprogress": r.Progress,
		"remark": r.Remark, "wg_address": r.Address, "wg_pre_image": links(r.Before), "wg_after_image": links(r.After),
	}
}

func links(pictures []Picture) string {
	urls := make([]string, 0, len(pictures))
	for _, p := range pictures {
		urls = append(urls, p.URL)
	}
	return strings.Join(urls, ",")
}

// value is one property as text, for filters and sorting: a reference's id, or
// the part that a dotted name asks for.
func (r row) value(property string) (any, bool) {
	head, part, dotted := strings.Cut(property, ".")
	v, ok := r[head]
	if !ok || !dotted {
		return v, ok
	}
	switch v := v.(type) {
	case Item:
		return v.part(part)
	case []any: // an entry, and there are none
		return v, true
	}
	return nil, false
}

func (it Item) part(name string) (any, bool) {
	switch name {
	case "id":
		return it.ID, true
	case "number":
		return it.Number, true
	case "name":
		return it.Name, true
	}
	return nil, false
}

// shown is the row as an answer has it: the selected properties, or all, with
// references as ids, or as objects if expand is set; the id is always there.
func (r row) shown(selected []string, expand bool) map[string]any {
	if len(selected) == 0 {
		selected = slices.Collect(maps.Keys(r))
	}
	out := map[string]any{"id": r["id"]}
	for _, name := range selected {
		v, _ := r.value(name)
		out[name] = plain(v, expand)
	}
	return out
}

// plain is a value as JSON.
func plain(v any, expand bool) any {
	switch v := v.(type) {
	case Item:
		if !expand {
			return v.ID
		}
		if v == (Item{}) {
			return nil
		}
		return map[string]any{"id": v.ID, "number": v.Number, "name": v.Name}
	case []Item:
		out := []map[string]any{}
		for _, it := range v {
			member := map[string]any{"fbasedataid_id": it.ID}
			if expand {
				member["fbasedataid"] = plain(it, true)
			}
			out = append(out, member)
		}
		return out
	}
	return v
}

// properties splits a comma list of names.
func properties(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
