package kingdee

import (
	"context"
	"encoding/json"
	"errors"

	"gongdan-bridge/internal/events"
)

// ErrNoBill: Kingdee has no such work order (yet). It is in the chain of a Failure
// of kind Unmapped.
var ErrNoBill = errors.New("no such bill")

// Bill is the head of a 服务工单 (wg_service_workorder).
type Bill struct {
	ID       string          `json:"id"`
	OrderNo  string          `json:"billno"`
	Status   string          `json:"billstatus"`         // A new, Z not approved, B in approval, C not handled, F 处理中, H 处理完成, G 无法处理
	Progress string          `json:"completionprogress"` // 完成进度, as the vendor writes it
	Raw      json.RawMessage `json:"-"`                  // the row as it came
}

// FindWorkOrder reads the bill with this number (fwgs-…). None is Unmapped with
// [ErrNoBill]; an answer about other bills is Invalid with [ErrNotUnderstood].
func (c *Client) FindWorkOrder(ctx context.Context, orderNo string) (Bill, error) {
	return c.findBill(ctx, filter{Property: "billno", Compare: "=", Value: orderNo},
		func(b Bill) bool { return b.OrderNo == orderNo })
}

// FindWorkOrderByID reads the bill with this id. Errors as of FindWorkOrder.
func (c *Client) FindWorkOrderByID(ctx context.Context, id string) (Bill, error) {
	return c.findBill(ctx, filter{Property: "id", Compare: "=", Value: id},
		func(b Bill) bool { return b.ID == id })
}

func (c *Client) findBill(ctx context.Context, by filter, wanted func(Bill) bool) (Bill, error) {
	const api = APIWorkOrders
	if by.Value == "" {
		return Bill{}, &events.Failure{Kind: events.Unmapped, API: vendor + " " + api, Reason: "the bill's id or number is empty"}
	}
	rows, _, err := c.page(ctx, api, listing{
		Entity: entityBill, Page: 1, Size: 10, Filters: []filter{by},
		Select: selectBill,
	})
	if err != nil {
		return Bill{}, err
	}
	var found []Bill
	for _, r := range rows {
		b, ok := billOf(r)
		if !ok {
			return Bill{}, notUnderstood(api, "a bill has no id or no number")
		}
		// A bill that was not asked for means that the filter did not hold, and
		// then its absence would mean nothing either.
		if !wanted(b) {
			return Bill{}, notUnderstood(api, "it is about other bills")
		}
		if len(found) == 0 || found[0].ID != b.ID {
			found = append(found, b)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Bill{}, &events.Failure{Kind: events.Unmapped, API: vendor + " " + api, Reason: "Kingdee has no such bill", Err: ErrNoBill}
	default:
		return Bill{}, &events.Failure{Kind: events.Unmapped, API: vendor + " " + api, Reason: "several bills have this number"}
	}
}

func billOf(r row) (Bill, bool) {
	b := Bill{ID: member(r, "id"), OrderNo: member(r, "billno"), Raw: r.raw()}
	status, ok1 := text(r["billstatus"])
	progress, ok2 := text(r["completionprogress"])
	b.Status, b.Progress = statusLetter(status), progress
	return b, b.ID != "" && b.OrderNo != "" && ok1 && ok2
}

// statusLetter is a handling status as its letter; other words stay.
func statusLetter(s string) string {
	switch s {
	case "处理中":
		return "F"
	case "处理完成", "已处理":
		return "H"
	case "无法处理":
		return "G"
	}
	return s
}
