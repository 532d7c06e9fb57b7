package kingdee

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
)

// DealRecord is one 处理记录 (wg_deal_record): what a handle-order leaves behind.
type DealRecord struct {
	ID                 string          `json:"id"`
	BillNo             string          `json:"billno"`             // CLJL-…
	StartDate          string          `json:"startdate"`          // yyyy-MM-dd HH:mm:ss in China, whatever the vendor writes; only a date where there is no more
	EndDate            string          `json:"enddate"`            // in the same form
	Emp                Ref             `json:"emp"`                // 处理人
	Dept               Ref             `json:"dept"`               // 部门
	ComboField         string          `json:"combofield"`         // F, H or G
	WorkingHours       string          `json:"workinghours"`       // 工时
	CompletionProgress string          `json:"completionprogress"` // 完成进度
	Remark             string          `json:"remark"`             // 处理说明, clsmid of the request
	Raw                json.RawMessage `json:"-"`                  // the row as it came
}

// Ref is a reference to base data, with the members that the vendor expanded.
type Ref struct {
	ID     string `json:"id,omitempty"`
	Number string `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
}

// DealRecords reads all handling records of the bill with this number, newest
// first. An empty list means that Kingdee says so; an answer that is not wholly
// understood is Invalid with [ErrNotUnderstood], never a shorter list.
func (c *Client) DealRecords(ctx context.Context, orderNo string) ([]DealRecord, error) {
	const api = APIDealRecords
	if orderNo == "" {
		return nil, &events.Failure{Kind: events.Invalid, API: vendor + " " + api, Reason: "the bill's number is empty"}
	}
	rows, err := c.every(ctx, api, listing{
		Entity:  entityRecord,
		Filters: []filter{{Property: "sourcebillno", Compare: "=", Value: orderNo}},
		Select:  selectRecord,
		Level:   "1", OrderBy: "billno desc",
	})
	if err != nil {
		return nil, err
	}
	records := make([]DealRecord, 0, len(rows))
	for _, r := range rows {
		if of := member(r, "sourcebillno"); of != "" && of != orderNo {
			return nil, notUnderstood(api, "it is about other bills")
		}
		d, why := recordOf(r)
		if why != "" {
			return nil, notUnderstood(api, why)
		}
		records = append(records, d)
	}
	slices.SortStableFunc(records, func(a, b DealRecord) int { return newerFirst(a, b) })
	return records, nil
}

// newerFirst orders by id, which grows with time, else by number, else by start.
func newerFirst(a, b DealRecord) int {
	if a.ID != "" && b.ID != "" {
		return cmp.Or(cmp.Compare(len(b.ID), len(a.ID)), strings.Compare(b.ID, a.ID))
	}
	return cmp.Or(strings.Compare(b.BillNo, a.BillNo), strings.Compare(b.StartDate, a.StartDate))
}

// recordOf reads a row. It must have what a record is recognised by: a remark or a
// start that is absent as a member would make two different records look alike.
func recordOf(r row) (d DealRecord, why string) {
	d = DealRecord{ID: member(r, "id"), BillNo: member(r, "billno"), Emp: refOf(r, "emp"), Dept: refOf(r, "dept"), Raw: r.raw()}
	var status string
	for name, to := range map[string]*string{
		"combofield": &status, "workinghours": &d.WorkingHours,
		"completionprogress": &d.CompletionProgress, "remark": &d.Remark,
	} {
		s, ok := text(r[name])
		if !ok {
			return d, "the member " + name + " is not a text"
		}
		*to = s
	}
	d.ComboField = statusLetter(status)
	for name, to := range map[string]*string{"startdate": &d.StartDate, "enddate": &d.EndDate} {
		s, ok := moment(r[name])
		if !ok {
			return d, "the member " + name + " is not a time"
		}
		*to = s
	}
	if d.StartDate == "" && d.Remark == "" {
		return d, "a record has neither start nor remark"
	}
	return d, ""
}

// Matches compares the record with a body that was sent: start, end, handler and
// status. known is false where nothing differs but something cannot be compared,
// because the vendor did not give it.
func (d DealRecord) Matches(b Body) (same, known bool) {
	verdicts := []likeness{
		likeTime(d.StartDate, b.StartDate),
		likeTime(d.EndDate, b.EndDate),
		d.Emp.like(b.HandlerID),
		likeText(d.ComboField, b.Status),
	}
	if slices.Contains(verdicts, differs) {
		return false, true
	}
	known = !slices.Contains(verdicts, unclear)
	return known, known
}

// likeness of a field that was read to one that was sent.
type likeness int

const (
	equals likeness = iota
	differs
	unclear
)

func likeText(got, sent string) likeness {
	switch got {
	case "":
		return unclear
	case sent:
		return equals
	}
	return differs
}

func likeTime(got, sent string) likeness {
	if t, ok := moment(sent); ok {
		sent = t
	}
	if len(got) == len(time.DateOnly) && strings.HasPrefix(sent, got) && got != sent {
		return unclear // the vendor keeps the day only
	}
	return likeText(got, sent)
}

// like compares by id; where the vendor gave none, equal words still are equal,
// but different ones say nothing.
func (r Ref) like(id string) likeness {
	switch {
	case r.ID != "":
		return likeText(r.ID, id)
	case id != "" && (r.Number == id || r.Name == id):
		return equals
	}
	return unclear
}

// refOf reads a reference: expanded, flattened ("emp.id", "emp_id"), or bare.
func refOf(r row, name string) Ref {
	ref := Ref{
		ID:     first(member(r, name+"_id"), member(r, name+".id")),
		Number: member(r, name+".number"),
		Name:   member(r, name+".name"),
	}
	switch v := r[name].(type) {
	case map[string]any:
		word, _ := text(v["name"])
		ref.ID, ref.Number, ref.Name = first(member(v, "id"), ref.ID), first(member(v, "number"), ref.Number), first(word, ref.Name)
	default:
		s := member(r, name)
		if isID(s) {
			ref.ID = first(s, ref.ID)
		} else {
			ref.Name = first(s, ref.Name)
		}
	}
	return ref
}

// isID is true for what Kingdee's ids look like; staff numbers are shorter.
func isID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n > 1e14
}

// moment is a time in any of the vendor's ways of writing one, as
// yyyy-MM-dd HH:mm:ss in China, or as yyyy-MM-dd. Absent is "".
func moment(v any) (string, bool) {
	s, ok := text(v)
	s = strings.TrimSpace(s)
	if !ok || s == "" {
		return "", ok
	}
	china := time.FixedZone("CST", 8*60*60)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch len(s) {
		case 10:
			return time.Unix(n, 0).In(china).Format(time.DateTime), true
		case 13:
			return time.UnixMilli(n).In(china).Format(time.DateTime), true
		}
		return "", false
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02T15:04:05Z0700", "2006/01/02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, china); err == nil {
			return t.In(china).Format(time.DateTime), true
		}
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.Format(time.DateOnly), true
	}
	return "", false
}
