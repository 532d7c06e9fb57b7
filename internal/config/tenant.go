package config

// Tenant is one element of tenants: a Weiban corporation (企业) and the Kingdee account set (账套) that
// its orders go to.
type Tenant struct {
	Name            string  `yaml:"name"`
	DryRun          bool    `yaml:"dry_run"`
	Mapping         string  `yaml:"mapping"`
	HoldAfterLetter bool    `yaml:"hold_after_letter"`
	Weiban          Weiban  `yaml:"weiban"`
	Kingdee         Kingdee `yaml:"kingdee"`
	// Retries is complete: what the tenant does not set is dispatcher.retries.
	Retries Retries `yaml:"retries"`
}

// Weiban is a tenant's side at Weiban (微伴助手).
type Weiban struct {
	BaseURL   string        `yaml:"base_url"`
	CorpID    string        `yaml:"corp_id"`
	Secret    Secret        `yaml:"secret"`
	Callbacks []CallbackKey `yaml:"callbacks"`
	Receivers []string      `yaml:"receivers"`
	PerMinute int           `yaml:"per_minute"`
	InFlight  int           `yaml:"in_flight"`
}

// CallbackKey is one pair of the message subscription (消息订阅) in Weiban's console. Several are
// accepted at once, so that keys can rotate.
type CallbackKey struct {
	Token          Secret `yaml:"token"`
	EncodingAESKey Secret `yaml:"encoding_aes_key"`
}

// Kingdee is a tenant's side at Kingdee (金蝶云·星辰). Exactly one of App and Static is set.
type Kingdee struct {
	BaseURL      string         `yaml:"base_url"`
	AccountID    string         `yaml:"account_id"`
	UserID       string         `yaml:"user_id"`
	AuthorityKey string         `yaml:"authority_key"`
	AuthorityIV  string         `yaml:"authority_iv"`
	App          *KingdeeApp    `yaml:"app"`
	Static       *KingdeeStatic `yaml:"static"`
	PerMinute    int            `yaml:"per_minute"`
	InFlight     int            `yaml:"in_flight"`
	SendPaging   bool           `yaml:"send_paging"`
	Marker       bool           `yaml:"marker"`
	CheckStatus  bool           `yaml:"check_status"`
}

// KingdeeApp is an app of Kingdee's open platform; its tokens are fetched and renewed.
type KingdeeApp struct {
	ClientID        string `yaml:"client_id"`
	ClientSecret    Secret `yaml:"client_secret"`
	OuterInstanceID string `yaml:"outer_instance_id"`
}

// KingdeeStatic is a token that the tenant brings along; it is never renewed.
type KingdeeStatic struct {
	AccessToken Secret `yaml:"access_token"`
	GroupName   string `yaml:"group_name"`
	Domain      string `yaml:"domain"`
}
