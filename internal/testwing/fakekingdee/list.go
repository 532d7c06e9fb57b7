package fakekingdee

import (
	"slices"
	"strconv"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// ListShape is what the answer of loadList looks like; the documentation that
// could be read ends before it.
type ListShape int

// The shapes.
const (
	ListArray ListShape = iota // data is the list, total stands beside it
	ListRows                   // data.rows, data.total
	ListList                   // data.list, data.total
	ListItems                  // data.items, data.total
	ListOdd                    // a success in an unreadable shape
)

// listedOrder is the order that a loadList asks about, "" if it is about none.
func listedOrder(in request) string {
	and, _ := filters(in.fields["andQfilters"])
	for _, f := range and {
		if f.property == "sourcebillno" || f.property == "billno" {
			return f.value
		}
	}
	return ""
}

// query is what a loadList asks.
type query struct {
	and, or  []filter
	order    []sortKey
	selected []string
	expand   bool
}

// ask reads a loadList and holds every property that it names against the
// entity's; problem is what is wrong with it.
func (s *Server) ask(fields map[string]any) (q query, problem string) {
	blank, ok := s.blank(text(fields["entityName"]))
	if !ok {
		return q, "entityName不存在"
	}
	problems := make([]string, 3)
	q.and, problems[0] = filters(fields["andQfilters"])
	q.or, problems[1] = filters(fields["orQfilters"])
	q.order, problems[2] = orders(text(fields["orderBy"]))
	for _, p := range problems {
		if p != "" {
			return q, p
		}
	}
	q.selected = properties(text(fields["selectProperties"]))
	q.expand = text(fields["level"]) >= "1"
	names := slices.Clone(q.selected)
	for _, f := range append(slices.Clone(q.and), q.or...) {
		names = append(names, f.property)
	}
	for _, o := range q.order {
		names = append(names, o.property)
	}
	for _, name := range names {
		if _, ok := blank.value(name); !ok {
			return q, "属性不存在:" + name
		}
	}
	return q, ""
}

// loadList is 查询单据列表, over bills and handling records.
func (s *Server) loadList(in request) script.Answer {
	q, problem := s.ask(in.fields)
	if problem != "" {
		return refusal(codeBusiness, problem)
	}
	found := selection(s.rows(text(in.fields["entityName"]), q.and), q.and, q.or)
	sorted(found, q.order)
	if in.fields["onlyCount"] == true {
		return s.listed(nil, len(found))
	}
	var out []map[string]any
	for _, r := range s.page(found, in.fields) {
		out = append(out, r.shown(q.selected, q.expand))
	}
	return s.listed(out, len(found))
}

// page cuts one page; its size is silently bounded.
func (s *Server) page(found []row, fields map[string]any) []row {
	index, err := strconv.Atoi(text(fields["pageindex"]))
	if err != nil || index < 1 {
		index = 1
	}
	size, err := strconv.Atoi(text(fields["pagesize"]))
	if err != nil || size < 1 {
		size = 10
	}
	size = min(size, s.o.MaxPage)
	from := min((index-1)*size, len(found))
	return found[from:min(from+size, len(found))]
}

// listed wraps rows in the shape that is set.
func (s *Server) listed(rows []map[string]any, total int) script.Answer {
	if rows == nil {
		rows = []map[string]any{}
	}
	envelope := map[string]any{"errorCode": "success", "status": true, "success": true}
	switch s.shape {
	case ListArray:
		envelope["data"], envelope["total"] = rows, total
	case ListRows:
		envelope["data"] = map[string]any{"rows": rows, "total": total}
	case ListList:
		envelope["data"] = map[string]any{"list": rows, "total": total}
	case ListItems:
		envelope["data"] = map[string]any{"items": rows, "total": total}
	case ListOdd:
		return s.say(APIList, script.Fault{Kind: script.Odd}, request{})
	}
	return script.Answer{Body: fakevendor.Encode(envelope), Code: "ok"}
}

// loadData is 根据ID查询: one bill or record.
func (s *Server) loadData(in request) script.Answer {
	q, problem := s.ask(in.fields)
	if problem != "" {
		return refusal(codeBusiness, problem)
	}
	id := text(in.fields["id"])
	for _, r := range s.rows(text(in.fields["entityName"]), []filter{{"id", "=", id}}) {
		if r["id"] == id {
			return success(r.shown(q.selected, q.expand))
		}
	}
	return refusal(codeBusiness, "单据不存在")
}
