// Package facts is what a mapping may speak of: the callback, the order as
// Weiban's detail gives it, the row of the order's history that the event is
// about, and what follows from them (a form's answers, when a handler began and
// ended, which pictures belong where).
//
// It decodes an enriched event once and judges nothing; expressions read it. It
// calls nobody and needs no clock.
package facts

import (
	"cmp"
	"encoding/json"
	"maps"
	"time"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
)

// Meta is what the CloudEvent says about an enriched event beside its data.
type Meta struct {
	ID       string // the CloudEvent's id
	Tenant   string
	Noun     events.Noun
	Status   string // Weiban's word in the subject; the callback's own where ""
	Position string
	Origin   string    // callback, poll, reconcile or backfill
	Time     time.Time // the vendor's time
}

// Event is variable `event`.
type Event struct {
	ID       string    `json:"id"`
	Tenant   string    `json:"tenant"`
	Noun     string    `json:"noun"`     // work_order or opportunity
	Status   string    `json:"status"`   // the status in the event's subject
	Position string    `json:"position"` // orders the events of one order, as text
	Origin   string    `json:"origin"`   // callback, poll, reconcile or backfill
	Time     time.Time `json:"time"`     // the vendor's time of the event
}

// Callback is variable `callback`: the notice with the members of msg_data
// (消息内容) beside those of the envelope.
type Callback struct {
	ID            string             `json:"id"`             // 消息id
	CorpID        string             `json:"corp_id"`        // 企业id
	CreateTime    time.Time          `json:"create_time"`    // 消息产生时间
	Type          string             `json:"type"`           // 消息类型
	Event         string             `json:"event"`          // work_order_change, …
	Status        string             `json:"status"`         // create, switch, close, reopen, reply, …
	OrderNo       weiban.ID          `json:"order_no"`       // 工单号
	StaffID       weiban.ID          `json:"staff_id"`       // 操作员工id: who acted
	StaffExtID    weiban.ID          `json:"staff_ext_id"`   // 操作员工外部id
	HandlerID     weiban.ID          `json:"handler_id"`     // 下一处理人id
	CCList        weiban.Texts       `json:"cc_list"`        // 抄送员工id列表
	Content       weiban.Content     `json:"content"`        // 备注
	IsShow        weiban.Int         `json:"is_show"`        // 客户是否可见
	AttachedJSON  weiban.Attachments `json:"attached_json"`  // 附件
	OpportunityID weiban.ID          `json:"opportunity_id"` // 商机id
	SerialNumber  weiban.ID          `json:"serial_number"`  // 商机编码
}

// Facts is one enriched event, decoded. It must not be changed once it is read.
type Facts struct {
	Event       Event
	Callback    Callback
	WorkOrder   *weiban.WorkOrder      // nil for an opportunity
	Opportunity *weiban.Opportunity    // nil for a work order
	Flow        *weiban.ProcessingFlow // the tied row, nil where none can be tied
	FetchedAt   time.Time
	Raw         Raw

	past []weiban.ProcessingFlow // see history
}

// Raw is variable `raw`: the vendor's JSON, for members that the types lack.
type Raw struct {
	Callback    json.RawMessage `json:"callback"`
	WorkOrder   json.RawMessage `json:"work_order"`
	Opportunity json.RawMessage `json:"opportunity"`
}

// Noun is what the event's order is.
func (f *Facts) Noun() events.Noun { return events.Noun(f.Event.Noun) }

// Decode reads an enriched event. The error is an [events.Failure] of kind
// invalid that names the part that cannot be read.
func Decode(e events.Enriched, m Meta) (*Facts, error) {
	n, err := weiban.ParseNotice(e.Callback)
	if err != nil {
		return nil, invalid("callback", err)
	}
	e = asSent(e)
	f := &Facts{
		Event: Event{
			ID: m.ID, Tenant: m.Tenant, Noun: string(m.Noun), Status: m.Status,
			Position: m.Position, Origin: m.Origin, Time: m.Time,
		},
		Callback:  callback(n),
		FetchedAt: e.FetchedAt,
		Raw:       Raw{Callback: e.Callback, WorkOrder: e.WorkOrder, Opportunity: e.Opportunity},
	}
	f.Event.Noun = cmp.Or(f.Event.Noun, string(n.Noun))
	f.Event.Status = cmp.Or(f.Event.Status, n.Status)
	switch f.Noun() {
	case events.WorkOrder:
		if err := decode("work_order", e.WorkOrder, &f.WorkOrder); err != nil {
			return nil, err
		}
		if row, ok := weiban.FlowFor(n, *f.WorkOrder); ok {
			f.Flow = row
		}
		f.past = f.history()
	case events.Opportunity:
		if err := decode("opportunity", e.Opportunity, &f.Opportunity); err != nil {
			return nil, err
		}
	default:
		return nil, &events.Failure{Kind: events.Invalid, Reason: "an event that is about no work order and no opportunity"}
	}
	return f, nil
}

// asSent is the event with the order as Weiban sent it, but for what it is known
// by: what cannot be read is known by that.
func asSent(e events.Enriched) events.Enriched {
	e.Original = maps.Clone(e.Original)
	for _, pointer := range []string{"/work_order/order_no", "/opportunity/id", "/opportunity/serial_number"} {
		delete(e.Original, pointer)
	}
	return e.AsSent()
}

func decode[T weiban.WorkOrder | weiban.Opportunity](member string, raw json.RawMessage, into **T) error {
	if len(raw) == 0 || string(raw) == "null" {
		return &events.Failure{Kind: events.Invalid, Reason: "the enriched event has no " + member}
	}
	o, err := weiban.Read[T](raw)
	if err != nil {
		return invalid(member, err)
	}
	*into = &o.Value
	return nil
}

func invalid(part string, err error) error {
	return &events.Failure{Kind: events.Invalid, Reason: part + " of the enriched event cannot be read", Err: err}
}

func callback(n weiban.Notice) Callback {
	d := n.MsgData
	id := d.OpportunityID
	if id == "" && n.Noun == events.Opportunity {
		id = d.ID
	}
	return Callback{
		ID: n.ID, CorpID: n.CorpID, CreateTime: n.CreateTime, Type: n.Type, Event: n.Event, Status: n.Status,
		OrderNo: d.OrderNo, StaffID: d.StaffID, StaffExtID: d.StaffExtID, HandlerID: d.HandlerID, CCList: d.CCList,
		Content: d.Content, IsShow: d.IsShow, AttachedJSON: d.AttachedJSON, OpportunityID: id, SerialNumber: d.SerialNumber,
	}
}
