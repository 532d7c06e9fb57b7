package kingdee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/events"
)

const pathList = "/weigusoft/wg_cost/loadList"

// What is read of which entity.
const (
	entityBill   = "wg_service_workorder"
	selectBill   = "id,billno,billstatus,completionprogress"
	entityRecord = "wg_deal_record"
	selectRecord = "id,billno,startdate,enddate,emp,dept,combofield,workinghours,completionprogress,remark"
)

// Bounds of what is read of one list. More is a failure, never a shorter list.
const (
	maxRows  = 2000
	maxPages = 100
)

// ErrNotUnderstood: Kingdee answered, but not in a shape that tells whether there
// are records. It is in the chain of a Failure of kind Invalid, and it is never
// the same as "there are none".
var ErrNotUnderstood = errors.New("the list's shape is not understood")

func notUnderstood(api, why string) *events.Failure {
	return &events.Failure{Kind: events.Invalid, API: vendor + " " + api, Reason: "the answer is not understood: " + why, Err: ErrNotUnderstood}
}

// filter is one of loadList's andQfilters.
type filter struct {
	Property string `json:"property"`
	Compare  string `json:"cp"`
	Value    string `json:"value"`
}

// listing is loadList's body.
type listing struct {
	Entity  string   `json:"entityName"`
	Page    int      `json:"pageindex"` // from 1
	Size    int      `json:"pagesize"`
	Select  string   `json:"selectProperties"`
	Filters []filter `json:"andQfilters"`
	Level   string   `json:"level,omitempty"` // how deep references are expanded
	OrderBy string   `json:"orderBy,omitempty"`
}

// row is one record as it came, numbers as json.Number.
type row map[string]any

// key tells rows of one list apart; "" is a row without identity.
func (r row) key() string { return first(member(r, "id"), member(r, "billno")) }

// about is the bill that the list is of.
func (q listing) about() string {
	if len(q.Filters) == 0 {
		return ""
	}
	return q.Filters[0].Value
}

// page reads one page. total is -1 where the answer names none. An answer without
// an outcome is Invalid where Kingdee answers about another bill at once.
func (c *Client) page(ctx context.Context, api string, q listing) (rows []row, total int, err error) {
	body, err := events.JSON(q)
	if err != nil {
		return nil, 0, &events.Failure{Kind: events.Internal, API: vendor + " " + api, Reason: "the query cannot be written as JSON"}
	}
	r := request{api: api, path: pathList, body: body, about: q.about()}
	e, err := c.call(ctx, r)
	if f := events.FailureOf(err); f == nil || !ofGateway(f.Code) {
		err = c.control.Judge(ctx, vendor+" "+api, r.about, err, func(ctx context.Context) error {
			_, err := c.call(ctx, request{api: api, path: pathList, body: body})
			return err
		})
	}
	if err != nil {
		return nil, 0, err
	}
	list, total, why := rowsOf(e.all)
	if why != "" {
		return nil, 0, notUnderstood(api, why)
	}
	for _, v := range list {
		r, ok := v.(map[string]any)
		if known := c.rows[q.Entity]; known != nil && ok {
			c.o.Drift.See(ctx, known, row(r).raw())
		}
		if !ok || row(r).key() == "" {
			return nil, 0, notUnderstood(api, "a row has neither id nor number")
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 && total > 0 && q.Page == 1 {
		return nil, 0, notUnderstood(api, "it counts records but holds none")
	}
	return rows, total, nil
}

// rowsOf finds the rows, which the vendor does not document: data itself, or its
// member rows, list or items. Without a list it is understood only where a count
// of zero is named. why is not empty where it is not understood.
func rowsOf(all map[string]any) (rows []any, total int, why string) {
	total = -1
	in, isObject := all["data"].(map[string]any)
	for _, from := range []map[string]any{in, all} {
		for _, name := range []string{"total", "totalCount", "total_count"} {
			if n, err := strconv.Atoi(member(from, name)); err == nil && n >= 0 && total < 0 {
				total = n
			}
		}
	}
	if list, ok := all["data"].([]any); ok {
		return list, total, ""
	}
	if !isObject {
		return nil, total, "it has no data"
	}
	for _, name := range []string{"rows", "list", "items"} {
		if list, ok := in[name].([]any); ok {
			return list, total, ""
		}
		if v, ok := in[name]; ok && v != nil {
			return nil, total, "its rows are not a list"
		}
	}
	if total == 0 {
		return nil, 0, ""
	}
	return nil, total, "it has no rows"
}

// rowsKnown are the members that rows of each entity are expected to have. A row
// has what was selected; how references are expanded is not documented, so that
// only a member of another name counts.
func rowsKnown() map[string]*drift.Tree {
	references := strings.Fields("emp emp_id emp.id emp.number emp.name dept dept_id dept.id dept.number dept.name sourcebillno")
	return map[string]*drift.Tree{
		entityBill: drift.Named(vendor, "bill", strings.Split(selectBill, ","), nil),
		entityRecord: drift.Named(vendor, "deal_record", slices.DeleteFunc(strings.Split(selectRecord, ","), func(name string) bool {
			return slices.Contains(references, name)
		}), references),
	}
}

// every reads all pages of a list. Kingdee is known to cut a page's size silently
// while it still counts pages by the size that was asked for, so that rows fall
// between two pages. A cut shows on the first page, which is then not full: what
// follows it at its own size is asked for, and if that is anything, the list is
// read again at the size that the server allows.
func (c *Client) every(ctx context.Context, api string, q listing) ([]row, error) {
	q.Size = c.perPage
	for range 3 {
		w := walk{seen: make(map[string]bool)}
		if err := c.walk(ctx, api, q, &w); err != nil {
			return nil, err
		}
		if w.allowed == 0 {
			return w.rows, nil
		}
		q.Size = w.allowed
	}
	return nil, notUnderstood(api, "its pages keep changing their size")
}

// walk is what has been read of a list.
type walk struct {
	rows    []row
	seen    map[string]bool
	allowed int // rows a page, where the server turned out to cut pages
}

// add keeps the rows that are new and says how many they are.
func (w *walk) add(page []row) (news int) {
	for _, r := range page {
		if !w.seen[r.key()] {
			w.seen[r.key()] = true
			w.rows = append(w.rows, r)
			news++
		}
	}
	return news
}

// walk reads page after page at one size.
func (c *Client) walk(ctx context.Context, api string, q listing, w *walk) error {
	for q.Page = 1; q.Page <= maxPages && len(w.rows) <= maxRows; q.Page++ {
		page, total, err := c.page(ctx, api, q)
		if err != nil {
			return err
		}
		news := w.add(page)
		switch {
		case news == 0 && len(page) == q.Size:
			return notUnderstood(api, "it repeats a page")
		case q.Page == 1 && len(page) > 0 && len(page) < q.Size && total != len(w.rows):
			if err := c.probe(ctx, api, q, len(page), w); err != nil || w.allowed > 0 {
				return err
			}
		case news > 0 && len(page) >= q.Size:
			continue
		}
		if total > len(w.rows) {
			return notUnderstood(api, fmt.Sprintf("it counts %d records but gave %d", total, len(w.rows)))
		}
		return nil
	}
	return notUnderstood(api, "it goes on for too long")
}

// probe asks for what follows a first page that was not full.
func (c *Client) probe(ctx context.Context, api string, q listing, size int, w *walk) error {
	q.Page, q.Size = 2, size
	page, _, err := c.page(ctx, api, q)
	if err == nil && w.add(page) > 0 {
		w.allowed = q.Size
	}
	return err
}

// raw is the row as JSON, for a person to look at.
func (r row) raw() json.RawMessage {
	b, err := events.JSON(r)
	if err != nil {
		return nil
	}
	return b
}
