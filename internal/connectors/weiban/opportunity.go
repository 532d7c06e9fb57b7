package weiban

// Opportunity is an opportunity (商机) as GET /open-api/opportunity/one gives it
// (获取商机详情, api-10790878): the state at the time of the call. The page gives
// member names and kinds and no meanings; the Chinese words are ours.
//
// The plain *_id members are Weiban's internal numbers. What matches staff and
// departments elsewhere, in work orders too, is staff_ext_id and
// department_ext_id.
type Opportunity struct {
	Unread `json:"-"`

	ID                ID           `json:"id"`                   // 商机id
	SerialNumber      ID           `json:"serial_number"`        // 商机编码
	CorpID            ID           `json:"corp_id"`              // 企业id
	Name              Text         `json:"name"`                 // 商机名称
	Status            Int          `json:"status"`               // 状态; values are not documented
	Remark            Text         `json:"remark"`               // 备注
	EuRemark          Texts        `json:"eu_remark"`            // 客户备注
	EuStaffRelationID ID           `json:"eu_staff_relation_id"` // 客户与员工关系id
	UserType          Text         `json:"user_type"`            // 客户类型: external_user, contact, organization, group_chat, staff
	User              User         `json:"user"`                 // 客户
	Organization      Organization `json:"organization"`         // 公司
	OrganizationID    ID           `json:"organization_id"`      // 公司id
	Staff             Owner        `json:"staff"`                // 负责人
	StaffID           ID           `json:"staff_id"`             // 负责人的内部id
	StaffExtID        ID           `json:"staff_ext_id"`         // 负责人的员工id: the staff id used elsewhere
	DepartmentID      ID           `json:"department_id"`        // 部门的内部id
	DepartmentExtID   ID           `json:"department_ext_id"`    // 部门id: the one used elsewhere
	CreatorID         ID           `json:"creator_id"`           // 创建者的内部id
	HelpStaffList     Texts        `json:"help_staff_list"`      // 协作员工
	HelpUserList      Texts        `json:"help_user_list"`       // 协作客户
	ChatList          Texts        `json:"chat_list"`            // 群聊
	Stage             Stage        `json:"stage"`                // 阶段
	StageID           ID           `json:"stage_id"`             // 阶段id
	StageGroupID      ID           `json:"stage_group_id"`       // 阶段组id
	StageGroupName    Text         `json:"stage_group_name"`     // 阶段组名称
	StageUpdateTime   Unix         `json:"stage_update_time"`    // 阶段更新时间: when it last moved to another stage
	ExpectAmount      Decimal      `json:"expect_amount"`        // 预计金额, most likely in fen (分)
	ExpectDate        Unix         `json:"expect_date"`          // 预计成交日期
	FailReason        Texts        `json:"fail_reason"`          // 输单原因
	GoodsList         Texts        `json:"goods_list"`           // 商品
	SKUList           Texts        `json:"sku_list"`             // 规格
	BindOrderStatus   Flag         `json:"bind_order_status"`    // 是否绑定订单
	PropertyList      []Property   `json:"property_list"`        // 自定义字段
	Deleted           Flag         `json:"deleted"`              // 是否删除
	CreatedAt         Unix         `json:"created_at"`           // 创建时间
	UpdatedAt         Unix         `json:"updated_at"`           // 更新时间
	EndTime           Unix         `json:"end_time"`             // 结束时间
}

// Property is one custom field of an opportunity with its value (自定义字段).
type Property struct {
	Unread `json:"-"`

	ID           ID    `json:"id"`            // 字段id
	CorpID       ID    `json:"corp_id"`       // 企业id
	FieldName    Text  `json:"field_name"`    // 字段名
	FieldType    Text  `json:"field_type"`    // 字段类型
	PropertyType Text  `json:"property_type"` // 属性类型
	GroupID      ID    `json:"group_id"`      // 分组id
	Options      Texts `json:"options"`       // 选项; members that are objects as JSON text
	Required     Flag  `json:"required"`      // 是否必填
	Enabled      Flag  `json:"enabled"`       // 是否启用
	SortOrder    Int   `json:"sort_order"`    // 排序
	Value        Text  `json:"value"`         // 值, of no declared type: a list or object as JSON text
	CreatorID    ID    `json:"creator_id"`    // 创建者id
	Deleted      Flag  `json:"deleted"`       // 是否删除
	CreatedAt    Unix  `json:"created_at"`    // 创建时间
	UpdatedAt    Unix  `json:"updated_at"`    // 更新时间
}

// Organization is the company that an opportunity is with (公司).
type Organization struct {
	Unread `json:"-"`

	ID            ID   `json:"id"`             // 公司id
	CorpID        ID   `json:"corp_id"`        // 企业id
	Name          Text `json:"name"`           // 公司名称
	CustomerLevel Text `json:"customer_level"` // 客户等级
	MapID         ID   `json:"map_id"`         // 地图id
	Owner         Text `json:"owner"`          // 归属
	ParentID      ID   `json:"parent_id"`      // 上级公司id
	StaffExtID    ID   `json:"staff_ext_id"`   // 员工id
	StaffID       ID   `json:"staff_id"`       // 员工的内部id
	TycID         ID   `json:"tyc_id"`         // 天眼查id
	CreatorID     ID   `json:"creator_id"`     // 创建者id
	Deleted       Flag `json:"deleted"`        // 是否删除
	CreatedAt     Unix `json:"created_at"`     // 创建时间
	UpdatedAt     Unix `json:"updated_at"`     // 更新时间
}

// Owner is the staff member who is responsible for an opportunity (负责人).
// ExtID is the staff id used elsewhere.
type Owner struct {
	Unread `json:"-"`

	ID                  ID   `json:"id"`                    // 内部id
	ExtID               ID   `json:"ext_id"`                // 员工id
	NewExtID            ID   `json:"new_ext_id"`            // 新的员工id
	UserID              ID   `json:"user_id"`               // 用户id
	CorpID              ID   `json:"corp_id"`               // 企业id
	Name                Text `json:"name"`                  // 姓名
	Alias               Text `json:"alias"`                 // 别名
	EnglishName         Text `json:"english_name"`          // 英文名
	Gender              Int  `json:"gender"`                // 性别: 0 unknown, 1 male, 2 female
	Position            Text `json:"position"`              // 职务
	Mobile              Text `json:"mobile"`                // 手机
	Telephone           Text `json:"telephone"`             // 座机
	Email               Text `json:"email"`                 // 邮箱
	Address             Text `json:"address"`               // 地址
	Avatar              Text `json:"avatar"`                // 头像, a URL
	QRCode              Text `json:"qr_code"`               // 二维码, a URL
	Signature           Text `json:"signature"`             // 签名
	Status              Int  `json:"status"`                // 状态: 1 active, 2 disabled, 4 not activated or gone
	Enable              Flag `json:"enable"`                // 是否启用
	IsRoot              Flag `json:"is_root"`               // 是否主管理员
	UserKind            Int  `json:"usertype"`              // 用户类型
	OpenID              ID   `json:"openid"`                // 微信openid
	UnionID             ID   `json:"unionid"`               // 微信unionid
	ExtAttr             Text `json:"extattr"`               // 扩展属性, JSON as text
	ExternalContactAble Flag `json:"external_contact_able"` // 能否添加外部联系人
	ExternalPosition    Text `json:"external_position"`     // 对外职务
	ExternalProfile     Text `json:"external_profile"`      // 对外信息, JSON as text
	ExternalUserCount   Int  `json:"external_user_count"`   // 客户数
	MomentAddress       Text `json:"moment_address"`        // 朋友圈地址
	MomentCover         Text `json:"moment_cover"`          // 朋友圈封面, a URL
	IAAuthorized        Flag `json:"ia_authorized"`         // 自建应用是否授权
	IAAuthorizedAt      Unix `json:"ia_authorized_at"`      // 自建应用授权时间
	MAAuthorized        Flag `json:"ma_authorized"`         // 会话存档是否授权
	MAAuthorizedAt      Unix `json:"ma_authorized_at"`      // 会话存档授权时间
	OAAuthorized        Flag `json:"oa_authorized"`         // 第三方应用是否授权
	OAAuthorizedAt      Unix `json:"oa_authorized_at"`      // 第三方应用授权时间
	CreatedAt           Unix `json:"created_at"`            // 创建时间
}

// Stage is where an opportunity stands in its funnel (阶段).
type Stage struct {
	Unread `json:"-"`

	ID          ID      `json:"id"`           // 阶段id
	CorpID      ID      `json:"corp_id"`      // 企业id
	GroupID     ID      `json:"group_id"`     // 阶段组id
	Name        Text    `json:"name"`         // 阶段名称
	Index       Int     `json:"index"`        // 顺序
	IsStart     Flag    `json:"is_start"`     // 是否起始阶段
	IsEnd       Flag    `json:"is_end"`       // 是否结束阶段
	SuccessRate Decimal `json:"success_rate"` // 赢率
	Days        Int     `json:"days"`         // 天数
	Comments    Text    `json:"comments"`     // 说明
	PropertyIDs Texts   `json:"property_ids"` // 字段id
	CreatorID   ID      `json:"creator_id"`   // 创建者id
	Deleted     Flag    `json:"deleted"`      // 是否删除
	CreatedAt   Unix    `json:"created_at"`   // 创建时间
	UpdatedAt   Unix    `json:"updated_at"`   // 更新时间
}

// User is the customer of an opportunity (客户), of whichever user_type.
type User struct {
	Unread `json:"-"`

	ID                          ID   `json:"id"`                            // 内部id
	CorpID                      ID   `json:"corp_id"`                       // 企业id
	Name                        Text `json:"name"`                          // 姓名
	Phone                       Text `json:"phone"`                         // 电话
	Gender                      Int  `json:"gender"`                        // 性别
	Position                    Text `json:"position"`                      // 职务
	Avatar                      Text `json:"avatar"`                        // 头像, a URL
	ExtID                       ID   `json:"ext_id"`                        // 外部id
	ExternalUserExtID           ID   `json:"external_user_ext_id"`          // 外部联系人id
	ExternalUserType            Int  `json:"external_user_type"`            // 外部联系人类型: 1 WeChat, 2 WeCom
	LeadsID                     ID   `json:"leads_id"`                      // 线索id
	OrganizationID              ID   `json:"organization_id"`               // 公司id
	OrganizationCorrelationTime Unix `json:"organization_correlation_time"` // 关联公司时间
	UnionID                     ID   `json:"unionid"`                       // 微信unionid
	IAExtID                     ID   `json:"ia_ext_id"`                     // 自建应用的外部id
	IAUnionID                   ID   `json:"ia_unionid"`                    // 自建应用的unionid
	OAExtID                     ID   `json:"oa_ext_id"`                     // 第三方应用的外部id
	OAUnionID                   ID   `json:"oa_unionid"`                    // 第三方应用的unionid
	QWCorpName                  Text `json:"qw_corp_name"`                  // 企业微信公司名
	QWCorpFullName              Text `json:"qw_corp_full_name"`             // 企业微信公司全称
	QWExternalProfile           Text `json:"qw_external_profile"`           // 企业微信对外信息, JSON as text
	CreatorID                   ID   `json:"creator_id"`                    // 创建者id
	Deleted                     Flag `json:"deleted"`                       // 是否删除
	CreatedAt                   Unix `json:"created_at"`                    // 创建时间
	UpdatedAt                   Unix `json:"updated_at"`                    // 更新时间
}
