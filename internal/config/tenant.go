package config

import "time"

// Tenant is one element of tenants: a Weiban corporation (企业) and the Kingdee account set (账套) that
// its orders go to.
type Tenant struct {
	Name            string  `yaml:"name" type:"name" required:"true" doc:"A short name. It is part of every subject and must never change."`
	DryRun          bool    `yaml:"dry_run" default:"false" doc:"Do everything but the write to Kingdee."`
	Mapping         string  `yaml:"mapping" type:"path" required:"true" doc:"The mapping file."`
	HoldAfterLetter bool    `yaml:"hold_after_letter" default:"false" doc:"After a dead letter the order's later events wait for a person."`
	Weiban          Weiban  `yaml:"weiban" doc:"The tenant at Weiban (微伴助手)."`
	Kingdee         Kingdee `yaml:"kingdee" doc:"The tenant at Kingdee (金蝶云·星辰). It needs |app| or |static|."`
	// Retries is complete: what the tenant does not set is dispatcher.retries.
	Retries Retries `yaml:"retries" from:"dispatcher.retries" doc:"This tenant's own retries, setting by setting."`
}

// Weiban is a tenant's side at Weiban (微伴助手).
type Weiban struct {
	BaseURL       string        `yaml:"base_url" type:"url" default:"https://open.weibanzhushou.com" doc:"The address of Weiban's OpenAPI."`
	CorpID        string        `yaml:"corp_id" type:"id" required:"true" doc:"The 企业 ID as the console shows it, 19 digits. No two tenants may share it."`
	Secret        Secret        `yaml:"secret" required:"true" doc:"The secret of the OpenAPI."`
	Callbacks     []CallbackKey `yaml:"callbacks" required:"true" doc:"The keys of the message subscription (消息订阅). Several are accepted while they rotate."`
	Receivers     []string      `yaml:"receivers" type:"ids" doc:"receiver ids that a callback may carry beside the |corp_id|, which is always accepted"`
	EmptyReceiver bool          `yaml:"empty_receiver" default:"false" doc:"accept a callback that carries no receiver id too; its keys must fit all the same"`
	PerMinute     int           `yaml:"per_minute" default:"595" min:"1" max:"600" doc:"most calls of one API in any minute; at most five of them go at once, after a rest. Weiban blocks at 600 for a minute, then for an hour; with |in_flight| calls on their way it must stay below"`
	InFlight      int           `yaml:"in_flight" default:"4" min:"1" max:"4" doc:"How many calls may run at once, over all APIs."`
}

// CallbackKey is one pair of the message subscription (消息订阅) in Weiban's console. Several are
// accepted at once, so that keys can rotate.
type CallbackKey struct {
	Token          Secret `yaml:"token" required:"true" doc:"Token"`
	EncodingAESKey Secret `yaml:"encoding_aes_key" required:"true" check:"aes_key" doc:"EncodingAESKey, 43 letters and digits"`
}

// Kingdee is a tenant's side at Kingdee (金蝶云·星辰). Exactly one of App and Static is set.
type Kingdee struct {
	BaseURL      string         `yaml:"base_url" type:"url" default:"https://api.kingdee.com" doc:"The address of the gateway."`
	AccountID    string         `yaml:"account_id" type:"id" required:"true" doc:"The 账套 (|accountId|), 19 digits. No two tenants may share it."`
	UserID       string         `yaml:"user_id" type:"id" doc:"The acting user (|Appuserid|). Without it: the user that Kingdee says the token belongs to."`
	AuthorityKey string         `yaml:"authority_key" type:"text" default:"2c17e560c500f55c" check:"block" doc:"The AES key of |authority_info|, which the vendor publishes and which is the same for all."`
	AuthorityIV  string         `yaml:"authority_iv" type:"text" default:"5e8y6w45ju8w9jq8" check:"block" doc:"The IV of the AES encryption of |authority_info|."`
	App          *KingdeeApp    `yaml:"app" doc:"An app of the open platform. Its tokens are fetched and renewed."`
	Static       *KingdeeStatic `yaml:"static" doc:"A token of the tenant's own, which is never renewed."`
	PerMinute    int            `yaml:"per_minute" default:"495" min:"1" max:"500" doc:"most calls of the account set in any minute; at most five of them go at once, after a rest. Kingdee allows 500; with |in_flight| calls on their way it must stay below"`
	InFlight     int            `yaml:"in_flight" default:"4" min:"1" max:"64" doc:"How many calls may run at once."`
	SendPaging   bool           `yaml:"send_paging" default:"false" doc:"Send |pageindex| and |pagesize| with |handle-order|. The vendor's table wants them, its examples lack them."`
	Marker       bool           `yaml:"marker" default:"true" doc:"Put a short token at the end of the note (|clsmid|), by which a handling record is known again."`
	CheckStatus  bool           `yaml:"check_status" default:"false" doc:"Read the bill before the call. An event for a bill that a person has finished becomes a dead letter."`
	Photos       Photos         `yaml:"photos" doc:"The pictures of |handle-order| (|attmentInforspre|, |attmentInforsafter|)."`
}

// Photos says how the pictures of a handle-order reach Kingdee.
type Photos struct {
	Mode      string        `yaml:"mode" type:"word" default:"pass" words:"pass upload" doc:"Pass pictures on by their address, or upload them to Kingdee's file service right before each call."`
	Hosts     []string      `yaml:"hosts" type:"hosts" doc:"The hosts that pictures may be fetched from, exact or |*.example.com|; |upload| needs them. Always https, never a private address, no proxy."`
	OnFailure string        `yaml:"on_failure" type:"word" default:"wait" words:"wait without" doc:"What happens where a picture cannot be fetched. |wait|: the order waits, or the event becomes a dead letter. |without|: the call goes without the picture, and the outcome says so."`
	MaxBytes  Size          `yaml:"max_bytes" default:"10MiB" min:"1KiB" max:"30MiB" doc:"The largest picture."`
	MaxCount  int           `yaml:"max_count" default:"9" min:"1" max:"50" doc:"The most pictures in one field."`
	Types     []string      `yaml:"types" type:"words" default:"image/jpeg, image/png, image/gif, image/webp" words:"image/jpeg image/png image/gif image/webp image/bmp" doc:"The media types that count as a picture, by content."`
	Timeout   time.Duration `yaml:"timeout" default:"30s" min:"1ms" doc:"All pictures of one call take at most this long. The call's deadline, and with it the first search in doubt, comes as much later."`
	Part      string        `yaml:"part" type:"word" default:"file" words:"file file1" doc:"The name of the part in the upload's form. The vendor's page has both."`
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
	ClientID        string `yaml:"client_id" type:"id" required:"true" doc:"|client_id|"`
	ClientSecret    Secret `yaml:"client_secret" required:"true" doc:"|client_secret|"`
	OuterInstanceID string `yaml:"outer_instance_id" type:"id" required:"true" doc:"|outerInstanceId| of the authorisation"`
}

// KingdeeStatic is a token that the tenant brings along; it is never renewed.
type KingdeeStatic struct {
	AccessToken Secret `yaml:"access_token" required:"true" doc:"|access_token|"`
	GroupName   string `yaml:"group_name" type:"id" required:"true" doc:"|groupName|, such as |ns-v7g6|"`
	Domain      string `yaml:"domain" type:"url" required:"true" doc:"|domain|, sent as |X-GW-Router-Addr|"`
}
