package fakeweiban

import "time"

// Opportunity is one opportunity (商机) as the simulator holds it. Its internal
// ids are numbers above 2^53, so that a reader that takes them for floats fails.
type Opportunity struct {
	ID             int64
	SerialNumber   string // 商机编码
	Name           string
	Remark         string
	StaffID        string // the string id; staff_ext_id in the answer
	Stage          string // name of the stage (阶段)
	StageID        int64
	StageEnd       bool
	StageUpdatedAt time.Time
	Status         int
	Amount         int64 // expect_amount, in fen
	Customer       string
	Phone          string
	Organization   string
	Deleted        bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// internalID is what Weiban calls a staff member or a department inside.
func internalID(n int) int64 { return 9007199254741001 + int64(n)*2 }

// one is the opportunity as 获取商机详情 shows it (GET /open-api/opportunity/one).
func (s *Server) one(o *Opportunity) object {
	corp, created, updated := s.o.CorpID, o.CreatedAt.Unix(), o.UpdatedAt.Unix()
	return object{
		"bind_order_status": false, "chat_list": []string{}, "corp_id": corp, "created_at": created,
		"creator_id": internalID(0), "deleted": o.Deleted, "department_ext_id": s.staff[o.StaffID].Department,
		"department_id": internalID(900), "end_time": nil, "eu_remark": []string{}, "eu_staff_relation_id": nil,
		"expect_amount": o.Amount, "expect_date": nil, "fail_reason": []string{}, "goods_list": []string{},
		"help_staff_list": []string{}, "help_user_list": []string{}, "id": o.ID, "name": o.Name,
		"organization": object{
			"corp_id": corp, "created_at": created, "creator_id": nil, "customer_level": "A", "deleted": false,
			"id": internalID(700), "map_id": 0, "name": o.Organization, "owner": o.StaffID, "parent_id": 0,
			"staff_ext_id": o.StaffID, "staff_id": internalID(1), "tyc_id": nil, "updated_at": updated,
		},
		"organization_id": internalID(700), "property_list": []object{s.property(o, "预计签约", "2025-12-31"), s.property(o, "来源渠道", nil)},
		"remark": o.Remark, "serial_number": o.SerialNumber, "sku_list": []string{},
		"staff": s.owner(o), "staff_ext_id": o.StaffID, "staff_id": internalID(1),
		"stage": object{
			"comments": nil, "corp_id": corp, "created_at": created, "creator_id": nil, "days": nil, "deleted": false,
			"group_id": internalID(500), "id": o.StageID, "index": 1, "is_end": o.StageEnd, "is_start": false,
			"name": o.Stage, "property_ids": nil, "success_rate": 50, "updated_at": updated,
		},
		"stage_group_id": internalID(500), "stage_group_name": "标准销售流程", "stage_id": o.StageID,
		"stage_update_time": o.StageUpdatedAt.Unix(), "status": o.Status, "updated_at": updated,
		"user": s.contact(o), "user_type": "contact",
	}
}

// property is one row of property_list.
func (s *Server) property(o *Opportunity, name string, value any) object {
	return object{
		"corp_id": s.o.CorpID, "created_at": o.CreatedAt.Unix(), "creator_id": nil, "deleted": false, "enabled": true,
		"field_name": name, "field_type": "input", "group_id": nil, "id": internalID(300), "options": []string{},
		"property_type": "custom", "required": false, "sort_order": 1, "updated_at": o.UpdatedAt.Unix(), "value": value,
	}
}

// owner is the member staff: the person who keeps the opportunity.
func (s *Server) owner(o *Opportunity) object {
	p := s.staff[o.StaffID]
	return object{
		"address": nil, "alias": "", "avatar": p.Avatar, "corp_id": s.o.CorpID, "created_at": o.CreatedAt.Unix(),
		"email": p.ID + "@example.com", "enable": true, "english_name": nil, "ext_id": p.ID, "extattr": `{"attrs":[]}`,
		"external_contact_able": true, "external_position": nil, "external_profile": "{}", "external_user_count": 0,
		"gender": 1, "ia_authorized": true, "ia_authorized_at": o.CreatedAt.Unix(), "id": internalID(1), "is_root": false,
		"ma_authorized": false, "ma_authorized_at": nil, "mobile": p.Mobile, "moment_address": nil, "moment_cover": nil,
		"name": p.Name, "new_ext_id": nil, "oa_authorized": true, "oa_authorized_at": o.CreatedAt.Unix(), "openid": nil,
		"position": p.Position, "qr_code": "", "signature": nil, "status": p.Status, "telephone": "", "unionid": nil,
		"user_id": nil, "usertype": 0,
	}
}

// contact is the member user: the lead that the opportunity is about.
func (s *Server) contact(o *Opportunity) object {
	return object{
		"avatar": nil, "corp_id": s.o.CorpID, "created_at": o.CreatedAt.Unix(), "creator_id": internalID(0), "deleted": false,
		"ext_id": nil, "external_user_ext_id": nil, "external_user_type": nil, "gender": nil, "ia_ext_id": nil,
		"ia_unionid": nil, "id": internalID(800), "leads_id": internalID(801), "name": o.Customer, "oa_ext_id": nil,
		"oa_unionid": nil, "organization_correlation_time": o.CreatedAt.Unix(), "organization_id": internalID(700),
		"phone": o.Phone, "position": nil, "qw_corp_full_name": nil, "qw_corp_name": nil, "qw_external_profile": nil,
		"unionid": nil, "updated_at": o.UpdatedAt.Unix(),
	}
}
