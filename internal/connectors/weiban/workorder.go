package weiban

import (
	"slices"
	"strings"

	"gongdan-bridge/internal/strictjson"
)

// WorkOrder is a work order (工单) as GET /open-api/workorder/detail gives it
// (获取工单详情, api-8267914): the state at the time of the call, not at the
// time of an event. Identifiers are text throughout, also where Weiban sends
// numbers; times are seconds since 1970.
type WorkOrder struct {
	Unread `json:"-"`

	ID                ID                `json:"id"`                               // internal number; order_no is the one to use
	OrderNo           ID                `json:"order_no"`                         // 工单号, 19 digits
	CorpID            ID                `json:"corp_id"`                          // 企业id: Weiban's, not WeCom's
	Title             Text              `json:"title"`                            // 标题
	Content           Content           `json:"content"`                          // 流转填写的备注: the note given with the last step
	Status            Int               `json:"status"`                           // 工单状态: 10 is new; other values are not documented
	StageName         Text              `json:"stage_name"`                       // 阶段名
	TemplateID        ID                `json:"template_id"`                      // 模板id
	TemplateStep      Int               `json:"template_step"`                    // 模板阶段
	TemplateTitle     Text              `json:"template_title"`                   // 模板标题
	CreatorID         ID                `json:"creator_id"`                       // 创建者id: a staff id
	CreatorName       Text              `json:"creator_name"`                     // 创建者姓名
	CreatorAvatar     Text              `json:"creator_avatar"`                   // 创建者头像, a URL
	HandlerID         ID                `json:"handler_id"`                       // 处理人id: a staff id
	HandlerName       Text              `json:"handler_name"`                     // 处理人姓名
	HandlerAvatar     Text              `json:"handler_avatar"`                   // 处理人头像, a URL
	LastHandlerID     ID                `json:"last_handler_id"`                  // 上一个处理人id: a staff id, often ""
	LastHandlerName   Text              `json:"last_handler_name"`                // 上一个处理人姓名
	LastHandlerAvatar Text              `json:"last_handler_avatar"`              // 上一个处理人头像, a URL
	RelationType      Int               `json:"relation_type"`                    // 关系实体类型: 1 customer (客户), 2 group chat (客户群)
	RelationID        ID                `json:"relation_id"`                      // 关系实体id
	RelationName      Text              `json:"relation_name"`                    // 关系实体名
	RelationAvatar    Text              `json:"relation_avatar"`                  // 关系实体头像, a URL
	RelationCorpName  Text              `json:"relation_corp_name"`               // 关系公司名
	CCList            Texts             `json:"cc_list"`                          // 抄送员工id列表
	MsgList           Texts             `json:"msg_list"`                         // 聊天记录列表
	FlowHandler       Int               `json:"flow_handler"`                     // 是否在流内: 1 is in the flow
	Deliver           Flag              `json:"deliver"`                          // 是否被投递
	Reopen            Flag              `json:"reopen"`                           // 是否重新打开过: was reopened once, not "can be"
	Deleted           Flag              `json:"deleted"`                          // 是否删除
	TotalTime         Int               `json:"total_time"`                       // 工单持续时间, seconds
	CreatedAt         Unix              `json:"created_at"`                       // 创建时间
	UpdatedAt         Unix              `json:"updated_at"`                       // 更新时间
	ButtonOperate     ButtonOperate     `json:"button_operate"`                   // 可操作权限
	ProcessingFlows   []ProcessingFlow  `json:"processing_flows"`                 // 工单流程, in no order to rely on: see Flows
	Components        []ComponentRecord `json:"work_order_component_record_list"` // 表单组件记录: the form's answers
}

// ButtonOperate says what may be done with the work order now (可操作权限).
type ButtonOperate struct {
	Unread `json:"-"`

	ChatRecord  Flag `json:"chat_record"`  // 查看聊天记录
	Close       Flag `json:"close"`        // 关闭
	Comment     Flag `json:"comment"`      // 评论
	Deliver     Flag `json:"deliver"`      // 投递
	Evaluate    Flag `json:"evaluate"`     // 评价
	PreviewFlow Flag `json:"preview_flow"` // 预览流程
	Reopen      Flag `json:"reopen"`       // 重新打开
	Share       Flag `json:"share"`        // 分享
	Update      Flag `json:"update"`       // 修改
}

// ProcessingFlow is one row of a work order's history (工单流程).
type ProcessingFlow struct {
	Unread `json:"-"`

	ID             ID          `json:"id"`               // 流程id: grows with time; rows may share a second
	Type           Int         `json:"type"`             // 类型: see FlowCreated, FlowWaiting; others are not documented
	TypeName       Text        `json:"type_name"`        // 类型名
	CreatedAt      Unix        `json:"created_at"`       // 创建时间
	CreatorID      ID          `json:"creator_id"`       // 创建者id: a staff id
	CreatorName    Text        `json:"creator_name"`     // 创建者姓名
	CreatorAvatar  Text        `json:"creator_avatar"`   // 创建者头像, a URL
	HandlerID      ID          `json:"handler_id"`       // 处理人id: a staff id
	HandlerName    Text        `json:"handler_name"`     // 处理人姓名
	HandlerAvatar  Text        `json:"handler_avatar"`   // 处理人头像, a URL
	ToID           ID          `json:"to_id"`            // 目标id: whom the step goes to
	ToName         Text        `json:"to_name"`          // 目标姓名
	ToAvatar       Text        `json:"to_avatar"`        // 目标头像, a URL
	ToType         Int         `json:"to_type"`          // 目标类型
	IsShow         Int         `json:"is_show"`          // 客户是否可见: 1 visible to the customer
	Point          Int         `json:"point"`            // 评分
	ReplyTime      Int         `json:"reply_time"`       // 回复时间, as sent: moment or seconds is not documented
	DelReplyStatus Flag        `json:"del_reply_status"` // 评论是否删除
	Content        Content     `json:"content"`          // 备注
	CCList         Texts       `json:"cc_list"`          // 抄送员工id列表
	AttachedJSON   Attachments `json:"attached_json"`    // 附件
}

// The documented types of a processing-flow row.
const (
	FlowCreated Int = 1 // 新建工单: the work order was created
	FlowWaiting Int = 2 // 待处理: it waits for its handler
)

// Flows is the history newest first, by row id: rows may share a second.
func (w WorkOrder) Flows() []ProcessingFlow {
	rows := slices.Clone(w.ProcessingFlows)
	slices.SortStableFunc(rows, func(a, b ProcessingFlow) int { return b.ID.compare(a.ID) })
	return rows
}

// compare orders identifiers as numbers, whatever their size.
func (v ID) compare(w ID) int {
	a, b := strings.TrimLeft(string(v), "0"), strings.TrimLeft(string(w), "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// ComponentRecord is the answer to one component of the work order's form
// (表单组件记录).
type ComponentRecord struct {
	Unread `json:"-"`

	ID            ID    `json:"id"`             // 记录id: component_record_id of an update
	ComponentID   ID    `json:"component_id"`   // 组件id
	ComponentType Text  `json:"component_type"` // 组件类型: input, textarea, select, radio, checked, selectMultiple, file, …
	Title         Text  `json:"title"`          // 标题: what the form asks
	Sort          Int   `json:"sort"`           // 排序
	TemplateID    ID    `json:"template_id"`    // 模板id
	Value         Text  `json:"value"`          // 值: the answer of input and textarea
	Values        Texts `json:"values"`         // 值列表: the answer of select, radio, checked, selectMultiple and file
	CreatedAt     Unix  `json:"created_at"`     // 创建时间, sent as RFC 3339
	UpdatedAt     Unix  `json:"updated_at"`     // 更新时间, sent as RFC 3339

	// Both are sent as numbers that Weiban has rounded: they are not the order's
	// number and not the company's id, and nothing may look at them.
	OrderNo ID `json:"order_no"` // 工单号, rounded
	CorpID  ID `json:"corp_id"`  // 企业id, rounded
}

// Answers is what was filled in: the chosen values, or else the one value; nil
// where nothing was.
func (c ComponentRecord) Answers() []string {
	if len(c.Values) > 0 {
		return slices.Clone([]string(c.Values))
	}
	if c.Value != "" {
		return []string{string(c.Value)}
	}
	return nil
}

// Content is a note with pictures (备注). A bare text is read as a note.
type Content struct {
	Text Text  `json:"text"` // 文本
	Pic  Texts `json:"pic"`  // 图片, URLs
}

// UnmarshalJSON reads an object, its JSON as text, a bare text, or nothing.
func (c *Content) UnmarshalJSON(b []byte) error {
	v := value(b)
	read, ok := asContent(v)
	_, f := scalarOf(v)
	return take(c, read, ok, f)
}

func asContent(v any) (c Content, ok bool) {
	if members, isObject := valueIn(v).(map[string]any); isObject {
		_, text := members["text"]
		_, pic := members["pic"]
		if text || pic || len(members) == 0 { // else it is what somebody wrote
			v = members
		}
	}
	switch v := v.(type) {
	case map[string]any:
		text, _ := scalarOf(v["text"])
		return Content{Text: Text(text), Pic: asTexts(v["pic"])}, true
	case []any:
		return c, len(v) == 0
	case bool:
		return c, !v
	default:
		text, _ := scalarOf(v)
		return Content{Text: Text(text)}, true
	}
}

// Attachment is a picture or video (附件). A bare text is read as its address.
type Attachment struct {
	Type Text `json:"type"` // 类型: image or video
	URL  Text `json:"url"`  // 地址
}

// UnmarshalJSON reads an object, a bare text, or nothing.
func (a *Attachment) UnmarshalJSON(b []byte) error {
	v := value(b)
	read, ok := asAttachment(v)
	_, f := scalarOf(v)
	return take(a, read, ok, f)
}

func asAttachment(v any) (a Attachment, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		kind, _ := scalarOf(v["type"])
		address, _ := scalarOf(v["url"])
		return Attachment{Type: Text(kind), URL: Text(address)}, true
	case string:
		return Attachment{URL: Text(v)}, true
	default:
		return a, v == nil
	}
}

// Attachments is a list of attachments, sent as list, null, empty text, or as
// the text of such a list.
type Attachments []Attachment

// UnmarshalJSON reads a list in any of these forms.
func (a *Attachments) UnmarshalJSON(b []byte) error {
	v := value(b)
	read, ok := asAttachments(v)
	_, f := scalarOf(v)
	return take(a, read, ok, f)
}

func asAttachments(v any) (all Attachments, ok bool) {
	if text, isText := v.(string); isText && text != "" {
		if strictjson.Check([]byte(text)) != nil {
			return nil, false
		}
		v = value([]byte(text))
	}
	switch v := v.(type) {
	case []any:
		for _, member := range v {
			a, ok := asAttachment(member)
			if !ok {
				return nil, false
			}
			if member != nil {
				all = append(all, a)
			}
		}
		return all, true
	case string:
		return nil, v == ""
	default:
		return nil, v == nil
	}
}
