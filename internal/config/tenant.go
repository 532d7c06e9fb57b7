package config

import "time"

// Tenant is one element of tenants: a Weiban corporation (企业) and the Kingdee account set (账套) that
// its orders go to.
type Tenant struct {
	Name            string  `yaml:"name"`              // of [a-z0-9-], part of every subject
	DryRun          bool    `yaml:"dry_run"`           // everything but the write to Kingdee
	Mapping         string  `yaml:"mapping"`           // path of the mapping file
	HoldAfterLetter bool    `yaml:"hold_after_letter"` // an order's later events wait for a person
	Weiban          Weiban  `yaml:"weiban"`
	Kingdee         Kingdee `yaml:"kingdee"`
	// Retries is complete: what the tenant does not set is dispatcher.retries.
	Retries Retries `yaml:"retries"`
}

// Weiban is a tenant's side at Weiban (微伴助手).
type Weiban struct {
	BaseURL       string        `yaml:"base_url"`       // without a slash at its end
	CorpID        string        `yaml:"corp_id"`        // 企业 ID
	Secret        Secret        `yaml:"secret"`         // of the OpenAPI
	Callbacks     []CallbackKey `yaml:"callbacks"`      // at least one
	Receivers     []string      `yaml:"receivers"`      // the corp id is always among them
	EmptyReceiver bool          `yaml:"empty_receiver"` // a callback may carry no receiver id
	PerMinute     int           `yaml:"per_minute"`     // pace
	InFlight      int           `yaml:"in_flight"`      // calls in progress
}

// CallbackKey is one pair of the message subscription (消息订阅) in Weiban's console. Several are
// accepted at once, so that keys can rotate.
type CallbackKey struct {
	Token          Secret `yaml:"token"`
	EncodingAESKey Secret `yaml:"encoding_aes_key"` // 43 letters and digits
}

// Kingdee is a tenant's side at Kingdee (金蝶云·星辰). Exactly one of App and Static is set.
type Kingdee struct {
	BaseURL      string         `yaml:"base_url"`      // without a slash at its end
	AccountID    string         `yaml:"account_id"`    // 账套, accountId
	UserID       string         `yaml:"user_id"`       // Appuserid; "": the token's own
	AuthorityKey string         `yaml:"authority_key"` // 16 bytes, published by the vendor
	AuthorityIV  string         `yaml:"authority_iv"`  // likewise
	App          *KingdeeApp    `yaml:"app"`
	Static       *KingdeeStatic `yaml:"static"`
	PerMinute    int            `yaml:"per_minute"`   // pace
	InFlight     int            `yaml:"in_flight"`    // calls in progress
	SendPaging   bool           `yaml:"send_paging"`  // pageindex and pagesize with handle-order
	Marker       bool           `yaml:"marker"`       // at the end of clsmid
	CheckStatus  bool           `yaml:"check_status"` // read the bill before the call
	Photos       Photos         `yaml:"photos"`
}

// Photos says how the pictures of a handle-order reach Kingdee.
type Photos struct {
	Mode      string        `yaml:"mode"`       // PhotosPass, PhotosUpload
	Hosts     []string      `yaml:"hosts"`      // that pictures may be fetched from; some where they are uploaded
	OnFailure string        `yaml:"on_failure"` // PhotosWait, PhotosWithout
	MaxBytes  Size          `yaml:"max_bytes"`  // of one picture
	MaxCount  int           `yaml:"max_count"`  // in one field
	Types     []string      `yaml:"types"`      // media types, by content
	Timeout   time.Duration `yaml:"timeout"`    // for all pictures of one call
	Part      string        `yaml:"part"`       // of the upload's form
}

// The words of Photos.
const (
	PhotosPass    = "pass"    // by their address
	PhotosUpload  = "upload"  // to Kingdee's file service, right before the call
	PhotosWait    = "wait"    // the order waits, or becomes a letter
	PhotosWithout = "without" // the call goes without the picture
)

// KingdeeApp is an app of Kingdee's open platform; its tokens are fetched and renewed.
type KingdeeApp struct {
	ClientID        string `yaml:"client_id"` // client_id
	ClientSecret    Secret `yaml:"client_secret"`
	OuterInstanceID string `yaml:"outer_instance_id"` // outerInstanceId
}

// KingdeeStatic is a token that the tenant brings along; it is never renewed.
type KingdeeStatic struct {
	AccessToken Secret `yaml:"access_token"`
	GroupName   string `yaml:"group_name"` // groupName
	Domain      string `yaml:"domain"`     // X-GW-Router-Addr
}
