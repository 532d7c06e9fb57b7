package kingdee

import (
	"context"
	"time"

	"gongdan-bridge/internal/events"
)

const pathHandle = "/weigusoft/wg_crm/wg_handleBillBusinessApi"

// Applied is Kingdee's yes. It names no record: which one was made can only be
// read, by [Client.DealRecords].
type Applied struct {
	Message string    // the vendor's sentence, e.g. 操作成功
	At      time.Time // when the answer had been read
}

// HandleOrder sends one 服务工单-处理接口. Each call that runs adds a handling record:
// calling it twice makes two. It repeats itself only where the gateway or the
// application refused the session, before anything ran. The kinds:
//
//   - Unavailable, Throttled, Denied, Interrupted: nothing ran;
//   - Rejected: Kingdee says no, readably; nothing ran;
//   - Uncertain: it may have run; only the handling records tell;
//   - Invalid: r itself cannot be sent.
func (c *Client) HandleOrder(ctx context.Context, r HandleOrder) (Applied, error) {
	if r.ID == "" || r.Body.OrderNo == "" {
		return Applied{}, &events.Failure{Kind: events.Invalid, API: vendor + " " + APIHandleOrder, Reason: "the bill's id or number is empty"}
	}
	body, err := r.encode(c.o.Paged)
	if err != nil {
		return Applied{}, &events.Failure{Kind: events.Invalid, API: vendor + " " + APIHandleOrder, Reason: "the body cannot be written as JSON", Err: err}
	}
	e, err := c.call(ctx, request{api: APIHandleOrder, path: pathHandle, body: body, about: r.Body.OrderNo, write: true})
	if err != nil {
		return Applied{}, err
	}
	return Applied{Message: e.text, At: time.Now()}, nil
}
