package weiban

// Callback is the plaintext of a callback, member by member, as a mapping sees
// it (消息订阅, doc-477106). [ParseNotice] reads the same plaintext for the
// bridge's own decisions.
type Callback struct {
	ID         ID      `json:"id"`          // 消息id
	CorpID     ID      `json:"corp_id"`     // 企业id
	CreateTime Unix    `json:"create_time"` // 消息产生时间, to the second here
	Type       Text    `json:"type"`        // 消息类型: event
	Event      Text    `json:"event"`       // 事件: work_order_change, opportunity_change, …
	Status     Text    `json:"status"`      // 变更: create, switch, close, reopen, reply, …
	RetryCount Int     `json:"retry_count"` // 重试次数
	Seq        Int     `json:"seq"`         // 序号; undocumented
	MsgData    MsgData `json:"msg_data"`    // 消息内容
}

// MsgData is what a callback says about its order. Of a work order's callback
// only order_no and staff_id are always there; the rest depends on the event.
// The pages are api-12212555 (create), -12211091 (switch), -12217099 (close),
// -12217760 (reopen) and -12213144 (reply).
type MsgData struct {
	OrderNo      ID          `json:"order_no"`      // 工单号
	StaffID      ID          `json:"staff_id"`      // 操作员工id: who acted
	StaffExtID   ID          `json:"staff_ext_id"`  // 操作员工外部id
	HandlerID    ID          `json:"handler_id"`    // 下一处理人id
	CCList       Texts       `json:"cc_list"`       // 抄送员工id列表
	Content      Content     `json:"content"`       // 备注
	IsShow       Int         `json:"is_show"`       // 客户是否可见: 1 visible to the customer
	AttachedJSON Attachments `json:"attached_json"` // 附件

	// Weiban documents no callback for opportunities (商机); these names are the
	// ones its opportunity API uses.
	OpportunityID ID `json:"opportunity_id"` // 商机id
	ID            ID `json:"id"`             // 商机id, where opportunity_id is not given
	SerialNumber  ID `json:"serial_number"`  // 商机编码
}

// msgData reads as much as fits of the decoded msg_data: what does not is left
// zero, for a notice must not be lost over a picture.
func msgData(m map[string]any) MsgData {
	id := func(name string) ID {
		text, f := scalarOf(m[name])
		if f != formText && f != formNumber {
			return ""
		}
		return ID(text)
	}
	d := MsgData{
		StaffID: id("staff_id"), StaffExtID: id("staff_ext_id"), HandlerID: id("handler_id"),
		OrderNo: ID(identifier(m["order_no"])), OpportunityID: ID(identifier(m["opportunity_id"])),
		ID: ID(identifier(m["id"])), SerialNumber: ID(identifier(m["serial_number"])),
		CCList: asTexts(m["cc_list"]),
	}
	d.Content, _ = asContent(m["content"])
	d.AttachedJSON, _ = asAttachments(m["attached_json"])
	show, _ := scalarOf(m["is_show"])
	d.IsShow, _ = asInt(show)
	return d
}

// The callback events whose order is known to have a detail call.
const (
	EventWorkOrder   = "work_order_change"
	EventOpportunity = "opportunity_change"
)

// The documented changes of a work order. Whether Weiban sends close or closed
// is not certain: both occur, and both are kept as they came.
const (
	StatusCreate = "create" // 创建
	StatusSwitch = "switch" // 流转
	StatusClose  = "close"  // 关闭
	StatusReopen = "reopen" // 重新打开
	StatusReply  = "reply"  // 评论
)

// Statuses are the documented changes of a work order, and the other spelling of close.
func Statuses() []string {
	return []string{StatusCreate, StatusSwitch, StatusClose, "closed", StatusReopen, StatusReply}
}

// Events are the callback events whose order is known to have a detail call.
func Events() []string { return []string{EventWorkOrder, EventOpportunity} }
