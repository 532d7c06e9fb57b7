package work

import (
	"context"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// ReadBill finds an order's bill, unless planning its message has read it already.
func (w Order) ReadBill(ctx context.Context, p *Plan, want ledger.Bill) ledger.BillRead {
	var b kingdee.Bill
	var f *events.Failure
	switch {
	case p != nil && p.bill != nil:
		b = *p.bill
	case p != nil && p.fail != nil:
		f = p.fail
	default:
		b, f = w.findBill(ctx, want)
	}
	return ledger.BillRead{Bill: ledger.Bill{ID: b.ID, OrderNo: b.OrderNo}, Failure: f}
}

// CheckStatus reads the status of a bill.
func (w Order) CheckStatus(ctx context.Context, want ledger.Bill) ledger.StatusRead {
	b, f := w.findBill(ctx, want)
	return ledger.StatusRead{Status: b.Status, Failure: f}
}

func (w Order) findBill(ctx context.Context, want ledger.Bill) (bill kingdee.Bill, f *events.Failure) {
	f = w.try(ctx, w.APIs.Reads, func(ctx context.Context) (err error) {
		if want.ID != "" {
			bill, err = w.Kingdee.FindWorkOrderByID(ctx, want.ID)
		} else {
			bill, err = w.Kingdee.FindWorkOrder(ctx, want.OrderNo)
		}
		return err
	})
	return bill, f
}
