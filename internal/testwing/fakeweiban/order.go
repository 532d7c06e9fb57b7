package fakeweiban

import "time"

// Status values of a work order (工单状态). Only Pending is known from Weiban's
// pages; the other two are the simulator's, and no caller should rely on them.
const (
	Pending   = 10
	Handling  = 20
	Concluded = 30
)

// Flow types (流程类型). The first two are Weiban's, the others the simulator's;
// their names are in [Flow.TypeName].
const (
	FlowCreated  = 1
	FlowPending  = 2
	FlowSwitched = 3
	FlowReplied  = 4
	FlowClosed   = 5
	FlowReopened = 6
)

// Order is one work order (工单) as the simulator holds it.
type Order struct {
	ID            int64
	OrderNo       string // 工单号, 19 digits
	Title         string
	Text          string   // 流转填写的备注
	Pics          []string // URLs
	Status        int
	Closed        bool
	Reopened      bool // 是否重新打开过
	Deliver       bool // 是否被投递
	StageName     string
	TemplateID    int64
	TemplateStep  int
	TemplateTitle string
	CreatorID     string // staff ids
	HandlerID     string
	LastHandlerID string // "" until it was switched
	Relation      Relation
	CC            []string // 抄送员工 ids
	Messages      []string
	TotalTime     int // seconds from creation to the close; 0 while open
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Flows         []Flow // newest first
	Components    []Component
}

// Relation is the customer that an order is about (关系实体).
type Relation struct {
	Type   int // 1 customer, 2 customer group chat
	ID     string
	Name   string
	Avatar string
	Corp   string
}

// Flow is one row of an order's history (工单流程).
type Flow struct {
	ID        int64
	Type      int
	CreatorID string // who acted
	HandlerID string // who handled the order then
	ToID      string // who shall handle it next
	CC        []string
	Text      string
	Pics      []string
	Attached  []Attachment
	Show      bool
	CreatedAt time.Time
}

// Attachment is a file at a comment (附件).
type Attachment struct {
	Type string `json:"type"` // "image" or "video"
	URL  string `json:"url"`
}

// Component is one answered field of an order's form (工单组件记录).
type Component struct {
	ID          int64
	ComponentID int64
	Type        string // input, textarea, select, radio, checked, selectMultiple, file
	Title       string
	Sort        int
	Answers     []string // one for input and textarea
	At          time.Time
}

// TypeName is the row's type as Weiban shows it.
func (f Flow) TypeName() string {
	switch f.Type {
	case FlowCreated:
		return "新建工单"
	case FlowPending:
		return "待处理"
	case FlowSwitched:
		return "流转"
	case FlowReplied:
		return "评论"
	case FlowClosed:
		return "关闭工单"
	case FlowReopened:
		return "重新打开"
	}
	return ""
}
