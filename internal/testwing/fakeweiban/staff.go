package fakeweiban

import "time"

// Staff is a staff member (员工). The id is the one that stands in callbacks,
// work orders and, as staff_ext_id, in opportunities.
type Staff struct {
	ID         string // e.g. "LiYang"
	Name       string
	Avatar     string
	Mobile     string
	Position   string
	Department string // id of the department
	Branch     string // the department as a text path, e.g. "售后中心/华东"
	Status     int    // 1 active, 2 disabled, 4 not activated or left
	UpdatedAt  time.Time
}

// Roster is the staff that a simulator starts with, active, in a service
// centre with two branches.
func Roster() []Staff {
	names := []struct{ id, name, branch string }{
		{"LiYang", "李洋", "售后中心/华东"},
		{"LiHua", "李华", "售后中心/华东"},
		{"LiMei", "李梅", "售后中心/华东"},
		{"WangQiang", "王强", "售后中心/华东"},
		{"ZhangWei", "张伟", "售后中心/华南"},
		{"ChenJing", "陈静", "售后中心/华南"},
		{"ZhaoLei", "赵磊", "售后中心/华南"},
		{"SunLi", "孙丽", "售后中心/华南"},
		{"OuyangXue", "欧阳雪", "客服中心"},
		{"HuangTao", "黄涛", "客服中心"},
	}
	out := make([]Staff, 0, len(names))
	for i, n := range names {
		out = append(out, Staff{
			ID: n.id, Name: n.name, Branch: n.branch, Department: string(rune('1' + i/4)),
			Avatar: "https://wework.example/avatar/" + n.id + "/0", Mobile: "1380000000" + string(rune('0'+i)),
			Position: "工程师", Status: 1,
		})
	}
	return out
}

// person is the staff member as 员工列表 and 员工详情 show it; the detail has
// departments in place of department.
func (p Staff) raw(detail, departments bool) object {
	out := object{
		"id": p.ID, "name": p.Name, "alias": "", "english_name": nil, "mobile": p.Mobile, "telephone": "",
		"email": p.ID + "@example.com", "position": p.Position, "gender": 1, "avatar": p.Avatar, "address": nil,
		"qr_code": "", "status": p.Status, "created_at": p.UpdatedAt.Unix(), "external_contact_able": true,
		"external_position": nil, "external_profile": nil, "extattr": nil, "moment_address": nil,
		"ia_authorized": true, "oa_authorized": true, "ma_authorized": false,
	}
	switch {
	case detail:
		out["departments"] = p.Branch
	case departments:
		out["department"] = []string{p.Department}
	}
	return out
}
