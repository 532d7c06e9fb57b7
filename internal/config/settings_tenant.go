package config

import (
	"fmt"
	"strings"
)

func tenantSettings() []Setting {
	return []Setting{
		{Path: "tenants", Type: kindList, Required: true, Meaning: "each a Weiban corporation and the Kingdee account set of its orders"},
		{Path: "tenants[].name", Type: kindName, Required: true, Meaning: "short name, part of every subject; never to be changed"},
		{Path: "tenants[].dry_run", Type: kindSwitch, Default: "false", Meaning: "everything but the write to Kingdee"},
		{Path: "tenants[].mapping", Type: kindPath, Required: true, Meaning: "the mapping file"},
		{Path: "tenants[].hold_after_letter", Type: kindSwitch, Default: "false", Meaning: "after a dead letter the order's later events wait for a person"},
	}
}

func weibanSettings() []Setting {
	const at = "tenants[].weiban"
	return []Setting{
		{Path: at, Type: kindSection, Meaning: "the side of Weiban (微伴助手)"},
		{Path: at + ".base_url", Type: kindURL, Default: "https://open.weibanzhushou.com", Meaning: "host of its OpenAPI"},
		{Path: at + ".corp_id", Type: kindID, Required: true, Meaning: "企业 ID as the console shows it, 19 digits; one tenant each"},
		{Path: at + ".secret", Type: kindSecret, Required: true, Meaning: "secret of the OpenAPI"},
		{Path: at + ".callbacks", Type: kindList, Required: true, Meaning: "keys of the message subscription (消息订阅); several while they rotate"},
		{Path: at + ".callbacks[].token", Type: kindSecret, Required: true, Meaning: "Token"},
		{Path: at + ".callbacks[].encoding_aes_key", Type: kindSecret, Required: true, check: checkAESKey, Meaning: "EncodingAESKey, 43 letters and digits"},
		{Path: at + ".receivers", Type: kindIDs, Meaning: "receiver ids that a callback may carry beside the `corp_id`, which is always accepted"},
		{Path: at + ".empty_receiver", Type: kindSwitch, Default: "false", Meaning: "accept a callback that carries no receiver id too; its keys must fit all the same"},
		{Path: at + ".per_minute", Type: kindCount, Default: "595", Min: "1", Max: "600", Meaning: "most calls of one API in any minute; at most five of them go at once, after a rest. Weiban blocks at 600 for a minute, then for an hour; with `in_flight` calls on their way it must stay below"},
		{Path: at + ".in_flight", Type: kindCount, Default: "4", Min: "1", Max: "4", Meaning: "calls in progress over all APIs"},
	}
}

func kingdeeSettings() []Setting {
	const at = "tenants[].kingdee"
	return []Setting{
		{Path: at, Type: kindSection, Meaning: "the side of Kingdee (金蝶云·星辰); needs `app` or `static`"},
		{Path: at + ".base_url", Type: kindURL, Default: "https://api.kingdee.com", Meaning: "the gateway"},
		{Path: at + ".account_id", Type: kindID, Required: true, Meaning: "账套 (`accountId`), 19 digits; one tenant each"},
		{Path: at + ".user_id", Type: kindID, Meaning: "acting user (`Appuserid`); absent: the one that Kingdee says the token belongs to"},
		{Path: at + ".authority_key", Type: kindText, Default: "2c17e560c500f55c", check: checkBlock, Meaning: "AES key of `authority_info`, published by the vendor and the same for all"},
		{Path: at + ".authority_iv", Type: kindText, Default: "5e8y6w45ju8w9jq8", check: checkBlock, Meaning: "IV of the AES encryption of `authority_info`"},
		{Path: at + ".app", Type: kindSection, Meaning: "an app of the open platform; tokens are fetched and renewed"},
		{Path: at + ".app.client_id", Type: kindID, Required: true, Meaning: "`client_id`"},
		{Path: at + ".app.client_secret", Type: kindSecret, Required: true, Meaning: "`client_secret`"},
		{Path: at + ".app.outer_instance_id", Type: kindID, Required: true, Meaning: "`outerInstanceId` of the authorisation"},
		{Path: at + ".static", Type: kindSection, Meaning: "a token of the tenant's own, never renewed"},
		{Path: at + ".static.access_token", Type: kindSecret, Required: true, Meaning: "`access_token`"},
		{Path: at + ".static.group_name", Type: kindID, Required: true, Meaning: "`groupName`, such as `ns-v7g6`"},
		{Path: at + ".static.domain", Type: kindURL, Required: true, Meaning: "`domain`, sent as `X-GW-Router-Addr`"},
		{Path: at + ".per_minute", Type: kindCount, Default: "495", Min: "1", Max: "500", Meaning: "most calls of the account set in any minute; at most five of them go at once, after a rest. Kingdee allows 500; with `in_flight` calls on their way it must stay below"},
		{Path: at + ".in_flight", Type: kindCount, Default: "4", Min: "1", Max: "64", Meaning: "calls in progress"},
		{Path: at + ".send_paging", Type: kindSwitch, Default: "false", Meaning: "send `pageindex` and `pagesize` with `handle-order`: the vendor's table wants them, its examples lack them"},
		{Path: at + ".marker", Type: kindSwitch, Default: "true", Meaning: "a short token at the end of the note (`clsmid`), by which a handling record is known again"},
		{Path: at + ".check_status", Type: kindSwitch, Default: "false", Meaning: "read the bill first; one that a person has finished becomes a letter"},
	}
}

func photoSettings() []Setting {
	const at = "tenants[].kingdee.photos"
	return []Setting{
		{Path: at, Type: kindSection, Meaning: "pictures of `handle-order` (`attmentInforspre`, `attmentInforsafter`)"},
		{Path: at + ".mode", Type: kindWord, Default: PhotosPass, Words: []string{PhotosPass, PhotosUpload}, Meaning: "pass them on by their address, or upload them to Kingdee's file service right before each call"},
		{Path: at + ".hosts", Type: kindHosts, Meaning: "hosts that pictures may be fetched from, exact or `*.example.com`; needed to upload. Always https, never a private address, no proxy"},
		{Path: at + ".on_failure", Type: kindWord, Default: PhotosWait, Words: []string{PhotosWait, PhotosWithout}, Meaning: "where a picture cannot be had: the order waits, or becomes a letter; or the call goes without the picture, which the outcome tells"},
		{Path: at + ".max_bytes", Type: kindSize, Default: "10MiB", Min: "1KiB", Max: "30MiB", Meaning: "largest picture"},
		{Path: at + ".max_count", Type: kindCount, Default: "9", Min: "1", Max: "50", Meaning: "most pictures in one field"},
		{Path: at + ".types", Type: kindWords, Default: "image/jpeg, image/png, image/gif, image/webp", Words: []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"}, Meaning: "what counts as a picture, by its content"},
		{Path: at + ".timeout", Type: kindDuration, Default: "30s", Min: shortest, Meaning: "bound for all pictures of one call; the call's deadline, and with it a look in doubt, comes so much later"},
		{Path: at + ".part", Type: kindWord, Default: "file", Words: []string{"file", "file1"}, Meaning: "name of the part in the upload's form: the vendor's page has both"},
	}
}

func checkAESKey(value string) (found, expected string) {
	bad := func(r rune) bool { return !isIDRune(r) || r == '-' || r == '_' }
	if len(value) == 43 && strings.IndexFunc(value, bad) < 0 {
		return "", ""
	}
	return fmt.Sprintf("a secret of %d characters", len(value)), "an EncodingAESKey of exactly 43 letters and digits"
}

func checkTokenKey(value string) (found, expected string) {
	if _, ok := tokenKey(value); ok {
		return "", ""
	}
	return fmt.Sprintf("a secret of %d characters", len(value)), "32 bytes in base64 or hex"
}

func checkBlock(value string) (found, expected string) {
	if len(value) == 16 {
		return "", ""
	}
	return fmt.Sprintf("%d bytes", len(value)), "16 bytes"
}
