package fakekingdee

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Codes of the app.
const (
	codeGroup    = "11010001"   // groupName out of date
	codeBusiness = "error"      // the app's own codes are not known
	codeSecret   = "1030002006" // appSecret rotated
)

// object is b if it is one JSON object, else nil.
func object(b []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil || d.More() {
		return nil
	}
	return out
}

// text is a JSON string or number as text, "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// success is the app's envelope around data.
func success(data any) script.Answer {
	return script.Answer{Body: fakevendor.Encode(map[string]any{
		"data": data, "errorCode": "success", "status": true, "success": true,
	}), Code: "ok"}
}

// refusal is the app's envelope of a no. Its shape is not documented; this is
// what the good one suggests.
func refusal(code, words string) script.Answer {
	if words == "" {
		words = "操作失败"
	}
	return script.Answer{Body: fakevendor.Encode(map[string]any{
		"data": nil, "errorCode": code, "message": words, "status": false, "success": false,
	}), Code: code}
}

// connectorFault is the envelope of a no of the jdyconnector calls.
func connectorFault(code int, words string) script.Answer {
	return script.Answer{Body: fakevendor.Encode(map[string]any{
		"errcode": code, "description": words, "data": nil,
	}), Code: strconv.Itoa(code)}
}

// gatewayFault is what the gateway itself says: HTTP 519 with one of its codes.
func gatewayFault(code int) script.Answer {
	words := map[int]string{
		4001: "Auth Type Not Supported", 4002: "Client ID Is Empty", 4003: "Client ID Invalid",
		4004: "Client Secret Is Empty", 4005: "Client ID Or Secret Invalid", 4006: "Timestamp Invalid",
		4007: "Sign Headers Invalid", 4008: "Signature Invalid", 4009: "Access Token Is Empty",
		4010: "Access Token Invalid", 4011: "Access Token Expired", 4012: "No Permission",
		5000: "Internal Service Error", 5001: "API Not Found", 5002: "Method Not Allowed", 5003: "API Unavailable",
		5004: "API Timeout", 5005: "Request Cancelled", 5006: "Circuit Breaker Open", 5007: "Overload",
	}[code]
	return script.Answer{Status: 519, Body: fakevendor.Encode(map[string]any{
		"errcode": code, "description": words, "descriptionCn": fmt.Sprintf("网关错误%d", code),
	}), Code: strconv.Itoa(code)}
}
