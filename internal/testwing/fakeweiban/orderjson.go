package fakeweiban

import (
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// detail is the order as 获取工单详情 shows it (GET /open-api/workorder/detail).
func (s *Server) detail(o *Order) object {
	flows := make([]object, 0, len(o.Flows))
	for _, f := range o.Flows {
		flows = append(flows, s.flow(f))
	}
	records := make([]object, 0, len(o.Components))
	for _, c := range o.Components {
		records = append(records, s.record(o, c))
	}
	out := object{
		"button_operate": object{
			"chat_record": true, "close": !o.Closed, "comment": true, "deliver": !o.Closed,
			"evaluate": false, "preview_flow": true, "reopen": o.Closed, "share": true, "update": false,
		},
		"cc_list": list(o.CC), "content": object{"pic": list(o.Pics), "text": o.Text},
		"corp_id": s.o.CorpID, "created_at": o.CreatedAt.Unix(), "updated_at": o.UpdatedAt.Unix(),
		"deleted": 0, "deliver": o.Deliver, "flow_handler": 1, "id": o.ID,
		"msg_list": list(o.Messages), "order_no": o.OrderNo, "processing_flows": flows,
		"relation_avatar": o.Relation.Avatar, "relation_corp_name": o.Relation.Corp,
		"relation_id": o.Relation.ID, "relation_name": o.Relation.Name, "relation_type": o.Relation.Type,
		"reopen": o.Reopened, "stage_name": o.StageName, "status": o.Status,
		"template_id": o.TemplateID, "template_step": o.TemplateStep, "template_title": o.TemplateTitle,
		"title": o.Title, "total_time": o.TotalTime,
		"work_order_component_record_list": records,
	}
	s.person(out, "creator", o.CreatorID)
	s.person(out, "handler", o.HandlerID)
	s.person(out, "last_handler", o.LastHandlerID)
	return out
}

// person puts the three members of a staff member into an object; they are empty for an
// empty id.
func (s *Server) person(out object, as, id string) {
	p := s.staff[id]
	out[as+"_id"], out[as+"_name"], out[as+"_avatar"] = id, p.Name, p.Avatar
}

// flow is one row of processing_flows. As on the page, the person that it goes
// to has neither name nor picture.
func (s *Server) flow(f Flow) object {
	attached := f.Attached
	if attached == nil {
		attached = []Attachment{}
	}
	out := object{
		"attached_json": attached, "cc_list": orNull(f.CC),
		"content":    object{"pic": orNull(f.Pics), "text": f.Text},
		"created_at": f.CreatedAt.Unix(), "del_reply_status": false, "id": f.ID,
		"is_show": bit(f.Show), "point": 0, "reply_time": 0,
		"to_avatar": "", "to_id": f.ToID, "to_name": "", "to_type": 0,
		"type": f.Type, "type_name": f.TypeName(),
	}
	s.person(out, "creator", f.CreatorID)
	s.person(out, "handler", f.HandlerID)
	return out
}

// record is one row of work_order_component_record_list, with the ids rounded
// and the times written as on the page.
func (s *Server) record(o *Order, c Component) object {
	at := c.At.In(fakevendor.China()).Format(time.RFC3339)
	value, values := answers(c)
	return object{
		"component_id": c.ComponentID, "component_type": c.Type, "corp_id": rounded(s.o.CorpID),
		"created_at": at, "id": c.ID, "order_no": rounded(o.OrderNo), "sort": c.Sort,
		"template_id": o.TemplateID, "title": c.Title, "updated_at": at,
		"value": value, "values": values,
	}
}

// answers spreads a component's answer over value and values: text in value
// beside values "", choices in values, which is null while nothing is chosen,
// and files in values, which is then an empty list.
func answers(c Component) (value string, values any) {
	switch c.Type {
	case "input", "textarea":
		if len(c.Answers) > 0 {
			value = c.Answers[0]
		}
		return value, ""
	case "file":
		return "", list(c.Answers)
	default:
		return "", orNull(c.Answers)
	}
}

// row is the order as 获取工单列表 shows it (GET /open-api/workorder/list).
func (s *Server) row(o *Order) object {
	return object{
		"id": o.ID, "order_no": o.OrderNo, "template_id": o.TemplateID, "template_title": o.TemplateTitle,
		"flow_handler": 1, "template_step": o.TemplateStep, "title": o.Title,
		"relation_type": o.Relation.Type, "relation_id": o.Relation.ID, "status": o.Status,
		"handler_id": o.HandlerID, "last_handler_id": textOrNull(o.LastHandlerID), "creator_id": o.CreatorID,
		"created_at": o.CreatedAt.Unix(), "updated_at": o.UpdatedAt.Unix(), "total_time": o.TotalTime,
		"content": object{"pic": list(o.Pics), "text": o.Text},
	}
}
