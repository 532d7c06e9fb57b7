package fakeweiban

import (
	"fmt"
	"strconv"
	"time"

	"gongdan-bridge/internal/testwing/script"
)

// NewOrder is what a person fills in to create a work order.
type NewOrder struct {
	OrderNo       string // "" takes the next number
	Title, Text   string
	Creator       string // staff ids; Handler "" is the creator
	Handler       string
	Relation      Relation
	CC            []string
	TemplateTitle string
	Answers       []Answer
}

// Answer is one answered field of the form.
type Answer struct {
	Type   string // see [Component].Type
	Title  string // e.g. "金蝶工单号"
	Values []string
}

// Act is what a person does to a work order.
type Act struct {
	Staff    string // who acts
	Handler  string // who is next; for a switch
	CC       []string
	Text     string
	Pics     []string
	Attached []Attachment
	Show     bool // visible to the customer
}

// Create makes a work order (新建工单) and gives the callback that tells of it.
// Nothing is sent: see [Server.Send] and [Server.Post].
func (s *Server) Create(n NewOrder) (told Notice, err error) {
	defer func() { s.changed(told, err) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.Handler == "" {
		n.Handler = n.Creator
	}
	if err := s.known(n.OrderNo, Act{Staff: n.Creator, Handler: n.Handler, CC: n.CC}); err != nil {
		return Notice{}, err
	}
	now := s.o.Clock()
	if n.OrderNo == "" {
		n.OrderNo = strconv.FormatInt(s.nextOrderNo(now), 10)
	}
	if s.orders[n.OrderNo] != nil {
		return Notice{}, fmt.Errorf("create work order %s: it exists", n.OrderNo)
	}
	o := &Order{
		ID: s.nextID(), OrderNo: n.OrderNo, Title: n.Title, Text: n.Text, Status: Pending,
		TemplateID: 62081, TemplateStep: 1, TemplateTitle: n.TemplateTitle,
		CreatorID: n.Creator, HandlerID: n.Handler, Relation: n.Relation, CC: n.CC,
		CreatedAt: now, UpdatedAt: now,
	}
	if o.Relation.Type == 0 {
		o.Relation.Type = 1
	}
	for i, a := range n.Answers {
		o.Components = append(o.Components, Component{
			ID: s.nextID(), ComponentID: 15745 + int64(i)*128, Type: a.Type, Title: a.Title,
			Sort: 6 + i, Answers: a.Values, At: now,
		})
	}
	s.addFlow(o, FlowCreated, Act{Staff: n.Creator, Text: fmt.Sprintf("员工%s已为客户%s创建了工单", s.staff[n.Creator].Name, o.Relation.Name), Show: true}, now)
	s.awaits(o, n.Creator, now)
	s.put(o)
	return s.notice(EventOrder, "create", o.OrderNo, now, false, object{"order_no": o.OrderNo, "staff_id": n.Creator}), nil
}

// Switch hands a work order on (流转) to a.Handler.
func (s *Server) Switch(orderNo string, a Act) (Notice, error) {
	return s.act(orderNo, "switch", a, true, func(o *Order, now time.Time) error {
		if o.Closed {
			return Refusal{codeOrderClosed, orderNo}
		}
		s.addFlow(o, FlowSwitched, a, now)
		o.LastHandlerID, o.HandlerID, o.Status = o.HandlerID, a.Handler, Handling
		o.Text, o.Pics, o.CC = a.Text, a.Pics, a.CC
		o.TemplateStep++
		s.awaits(o, a.Staff, now)
		return nil
	})
}

// Reply comments on a work order (评论).
func (s *Server) Reply(orderNo string, a Act) (Notice, error) {
	return s.act(orderNo, "reply", a, false, func(o *Order, now time.Time) error {
		s.addFlow(o, FlowReplied, a, now)
		return nil
	})
}

// Close ends a work order (关闭).
func (s *Server) Close(orderNo string, a Act) (Notice, error) {
	return s.act(orderNo, "close", a, true, func(o *Order, now time.Time) error {
		if o.Closed {
			return Refusal{codeOrderClosed, orderNo}
		}
		s.addFlow(o, FlowClosed, a, now)
		o.Closed, o.Status, o.TotalTime = true, Concluded, int(now.Sub(o.CreatedAt).Seconds())
		return nil
	})
}

// Reopen opens a closed work order again (重新打开). Its callback has nothing but
// the order and who did it.
func (s *Server) Reopen(orderNo string, a Act) (Notice, error) {
	return s.act(orderNo, "reopen", a, false, func(o *Order, now time.Time) error {
		if !o.Closed {
			return Refusal{codeReopenRefused, orderNo}
		}
		s.addFlow(o, FlowReopened, a, now)
		o.Closed, o.Reopened, o.Status, o.TotalTime = false, true, Handling, 0
		s.awaits(o, a.Staff, now)
		return nil
	})
}

// act checks, changes an order and words the callback.
func (s *Server) act(orderNo, status string, a Act, millis bool, change func(*Order, time.Time) error) (told Notice, err error) {
	defer func() { s.changed(told, err) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderNo]
	if o == nil {
		return Notice{}, Refusal{codeNoOrder, orderNo}
	}
	if err := s.known(orderNo, a); err != nil {
		return Notice{}, err
	}
	if _, ok := s.staff[a.Handler]; status == "switch" && !ok {
		return Notice{}, Refusal{codeHandlerUnknown, orderNo}
	}
	now := s.o.Clock()
	if err := change(o, now); err != nil {
		return Notice{}, err
	}
	o.UpdatedAt = now
	data := object{"order_no": orderNo, "staff_id": a.Staff}
	if status != "reopen" {
		a.describe(data)
	}
	if status == "switch" || status == "close" { // the close page's example is a copy of the switch one
		data["staff_ext_id"], data["handler_id"] = a.Staff, o.HandlerID
	}
	if status == "close" && s.o.Callback.CloseStatus != "" {
		status = s.o.Callback.CloseStatus
	}
	return s.notice(EventOrder, status, orderNo, now, millis, data), nil
}

// describe puts the optional members of msg_data.
func (a Act) describe(data object) {
	attached := a.Attached
	if attached == nil {
		attached = []Attachment{}
	}
	data["cc_list"], data["is_show"], data["attached_json"] = list(a.CC), bit(a.Show), attached
	data["content"] = object{"text": a.Text, "pic": list(a.Pics)}
}

// known refuses unknown staff.
func (s *Server) known(key string, a Act) error {
	if _, ok := s.staff[a.Staff]; !ok {
		return Refusal{codeActorUnknown, key}
	}
	if _, ok := s.staff[a.Handler]; a.Handler != "" && !ok {
		return Refusal{codeHandlerUnknown, key}
	}
	for _, id := range a.CC {
		if _, ok := s.staff[id]; !ok {
			return Refusal{codeCopyUnknown, key}
		}
	}
	return nil
}

// addFlow puts a row on top of an order's history.
func (s *Server) addFlow(o *Order, kind int, a Act, now time.Time) {
	o.Flows = append([]Flow{{
		ID: s.nextID(), Type: kind, CreatorID: a.Staff, HandlerID: o.HandlerID, ToID: a.Handler, CC: a.CC,
		Text: a.Text, Pics: a.Pics, Attached: a.Attached, Show: a.Show, CreatedAt: now,
	}}, o.Flows...)
}

// awaits adds the row that says whose turn it is, in the second of the row
// before, as on Weiban's page.
func (s *Server) awaits(o *Order, actor string, now time.Time) {
	text := fmt.Sprintf("待员工 %s 处理", s.staff[o.HandlerID].Name)
	s.addFlow(o, FlowPending, Act{Staff: actor, Handler: o.HandlerID, Text: text, Show: true}, now)
}

func (s *Server) put(o *Order) {
	if s.orders[o.OrderNo] == nil {
		s.orderNos = append(s.orderNos, o.OrderNo)
	}
	s.orders[o.OrderNo] = o
}

// changed tells the watcher, once the lock is free, of a change that was made.
func (s *Server) changed(n Notice, err error) {
	if err == nil {
		s.o.Observe.See(script.Event{At: n.At, Vendor: "weiban", What: "change", API: n.Status, Key: n.Key, Detail: n.Event})
	}
}
