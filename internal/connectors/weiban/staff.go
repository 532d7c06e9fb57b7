package weiban

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"gongdan-bridge/internal/events"
)

const (
	staffPage   = 100       // rows a page, Weiban's maximum
	mostStaff   = 1_000_000 // beyond this the total is not believed
	emptyRounds = 3         // reads of a page that comes back empty before its time
)

// Staff is a staff member (员工) as GET /open-api/staff/list gives it
// (api-8269949). Members whose source the person has not authorised are missing.
type Staff struct {
	ID                  ID    `json:"id"`                    // 员工id: staff_id, handler_id, creator_id, staff_ext_id elsewhere
	Name                Text  `json:"name"`                  // 姓名
	Alias               Text  `json:"alias"`                 // 别名
	EnglishName         Text  `json:"english_name"`          // 英文名
	Mobile              Text  `json:"mobile"`                // 手机
	Telephone           Text  `json:"telephone"`             // 座机
	Email               Text  `json:"email"`                 // 邮箱
	Position            Text  `json:"position"`              // 职务
	Gender              Int   `json:"gender"`                // 性别: 0 unknown, 1 male, 2 female
	Avatar              Text  `json:"avatar"`                // 头像, a URL
	Address             Text  `json:"address"`               // 地址
	QRCode              Text  `json:"qr_code"`               // 二维码, a URL
	Status              Int   `json:"status"`                // 状态: 1 active, 2 disabled, 4 not activated or gone
	CreatedAt           Unix  `json:"created_at"`            // 创建时间
	Department          Texts `json:"department"`            // 部门id
	ExternalContactAble Flag  `json:"external_contact_able"` // 能否添加外部联系人
	ExternalPosition    Text  `json:"external_position"`     // 对外职务
	ExternalProfile     Text  `json:"external_profile"`      // 对外信息, JSON as text
	ExtAttr             Text  `json:"extattr"`               // 扩展属性, JSON as text
	MomentAddress       Text  `json:"moment_address"`        // 朋友圈地址
	IAAuthorized        Flag  `json:"ia_authorized"`         // 自建应用是否授权
	OAAuthorized        Flag  `json:"oa_authorized"`         // 第三方应用是否授权
	MAAuthorized        Flag  `json:"ma_authorized"`         // 会话存档是否授权
}

// Staff fetches all staff, page by page, each member once. An empty page before
// the end is read again, for under load Weiban has been seen to give such;
// should it stay empty, the list is Unavailable rather than short.
func (c *Client) Staff(ctx context.Context) ([]Staff, error) {
	var all []Staff
	seen := make(map[ID]bool)
	empty := 0
	for offset, total := 0, 1; offset < total; {
		var rows []Staff
		var err error
		if rows, total, err = c.staffPage(ctx, offset); err != nil {
			return nil, err
		}
		if len(rows) == 0 && offset < total {
			if empty++; empty >= emptyRounds {
				return nil, &events.Failure{Kind: events.Unavailable, API: "weiban " + APIStaffList, Reason: "a page before the end of the list stays empty"}
			}
			continue
		}
		empty = 0
		offset += len(rows)
		for _, s := range rows {
			if !seen[s.ID] {
				seen[s.ID] = true
				all = append(all, s)
			}
		}
	}
	return all, nil
}

func (c *Client) staffPage(ctx context.Context, offset int) (rows []Staff, total int, err error) {
	body, _, err := c.get(ctx, APIStaffList, url.Values{
		"limit": {strconv.Itoa(staffPage)}, "offset": {strconv.Itoa(offset)}, "fields": {`["department"]`},
	}, "")
	if err != nil {
		return nil, 0, err
	}
	var page struct {
		Total *Int            `json:"total"`
		Rows  json.RawMessage `json:"staff_list"`
	}
	if err := decode(body, &page); err != nil {
		return nil, 0, invalid(APIStaffList, err.Error())
	}
	if page.Total == nil || *page.Total < 0 || *page.Total > mostStaff {
		return nil, 0, invalid(APIStaffList, "total is missing or impossible")
	}
	if len(page.Rows) > 0 {
		if err := decode(page.Rows, &rows); err != nil {
			return nil, 0, invalid(APIStaffList, "staff_list: "+err.Error())
		}
	}
	return rows, int(*page.Total), nil
}
