package fakekingdee

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// skew is how far X-Api-TimeStamp may be off.
const skew = 5 * time.Minute

// checkSigned verifies the gateway signature of a jdyconnector call.
func (s *Server) checkSigned(in request) *script.Answer {
	code := s.signatureFault(in)
	if code == 0 {
		return nil
	}
	a := gatewayFault(code)
	return &a
}

// signatureFault returns the gateway's code for the fault of a signed call, 0 if it has
// none.
func (s *Server) signatureFault(in request) int {
	nonce, stamp := in.Header.Get("X-Api-Nonce"), in.Header.Get("X-Api-TimeStamp")
	switch client := in.Header.Get("X-Api-ClientID"); {
	case in.Header.Get("X-Api-Auth-Version") != "2.0":
		return 4001
	case client == "":
		return 4002
	case client != s.account.ClientID:
		return 4003
	}
	ms, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || s.o.Clock().Sub(time.UnixMilli(ms)).Abs() > skew {
		return 4006
	}
	switch strings.ToLower(in.Header.Get("X-Api-SignHeaders")) {
	case "x-api-timestamp,x-api-nonce", "x-api-nonce,x-api-timestamp":
	default:
		return 4007
	}
	if nonce == "" {
		return 4007
	}
	words, err := canonical(in.Method, in.Path, in.RawQuery, nonce, stamp)
	if err != nil || !same(in.Header.Get("X-Api-Signature"), hexMAC(s.account.ClientSecret, words)) {
		return 4008
	}
	return 0
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// authorise is push_app_authorize: the account sets that the app may enter.
func (s *Server) authorise(in request) script.Answer {
	s.aged(s.o.Clock())
	if in.Query.Get("outerInstanceId") != s.account.OuterInstanceID {
		return connectorFault(1030001001, "outerInstanceId不存在")
	}
	data := []map[string]any{s.authorisation(s.account, 1)}
	if s.o.Decoys {
		other, ended := s.account, s.account
		other.AccountID, other.GroupName, other.AppKey, other.AppSecret = "1590000000000000001", "ns-f51c", "otherKey", strings.Repeat("0", 40)
		ended.GroupName, ended.AppSecret = "ns-gone", strings.Repeat("f", 40)
		data = append([]map[string]any{s.authorisation(other, 1), s.authorisation(ended, 0)}, data...)
	}
	if s.o.CodeEnvelope {
		return script.Answer{Body: fakevendor.Encode(map[string]any{"code": 200, "msg": "success", "data": data}), Code: "ok"}
	}
	return script.Answer{Body: fakevendor.Encode(map[string]any{"errcode": 0, "description": "success", "data": data}), Code: "ok"}
}

// authorisation is one element of push_app_authorize's answer.
func (s *Server) authorisation(a Account, status int) map[string]any {
	return map[string]any{
		"serviceId": "1751589696001", "accountId": a.AccountID, "accountName": "工单账套", "domain": a.Domain,
		"groupName": a.GroupName, "agreementCompanyName": "示例科技有限公司", "status": status,
		"outerInstanceId": a.OuterInstanceID, "clientId": a.ClientID, "appKey": a.AppKey, "appSecret": a.AppSecret,
		"instanceExpiresTime": s.o.Clock().AddDate(1, 0, 0).UnixMilli(),
	}
}

// authToken is kingdee_auth_token.
func (s *Server) authToken(in request) script.Answer {
	s.aged(s.o.Clock())
	if in.Query.Get("app_key") != s.account.AppKey {
		return connectorFault(1030002001, "app_key不存在")
	}
	if !same(in.Query.Get("app_signature"), appSignature(s.account.AppKey, s.account.AppSecret)) {
		n, _ := strconv.Atoi(codeSecret)
		return connectorFault(n, "授权密钥不匹配")
	}
	token, ends := s.newToken()
	uid, _ := strconv.Atoi(s.account.UserID)
	data := map[string]any{"uid": uid, "app-token": "app" + token, "access_token": token}
	if !s.o.OmitExpires {
		data["expires"] = ends.UnixMilli()
	}
	return script.Answer{Body: fakevendor.Encode(map[string]any{"errcode": 0, "description": "success", "data": data}), Code: "ok"}
}

// checkToken verifies what every call into an account set must carry.
func (s *Server) checkToken(in request) *script.Answer {
	token := in.Query.Get("access_token")
	ends, known := s.Life(token)
	var a script.Answer
	switch {
	case token == "":
		a = gatewayFault(4009)
	case !known:
		a = gatewayFault(4010)
	case !s.o.Clock().Before(ends):
		a = gatewayFault(4011)
	case in.Header.Get("X-GW-Router-Addr") != s.account.Domain:
		a = script.Answer{Status: http.StatusNotFound, Type: "text/plain; charset=utf-8", Body: []byte("404 No Route\n"), Code: "404"}
	case in.Header.Get("accountId") != s.account.AccountID:
		a = gatewayFault(4012)
	case in.Header.Get("groupName") != s.account.GroupName:
		a = refusal(codeGroup, "groupName已变更,请重新获取授权信息")
	default:
		return nil
	}
	return &a
}

// checkCaller verifies, beyond the token, who calls: it makes
// authority_info itself and compares.
func (s *Server) checkCaller(in request) *script.Answer {
	if no := s.checkToken(in); no != nil {
		return no
	}
	var a script.Answer
	switch {
	case in.Header.Get("Appuserid") != s.account.UserID:
		a = refusal(codeBusiness, "Appuserid与当前授权用户不一致")
	case !same(in.Query.Get("authority_info"), authorityInfo(in.Query.Get("access_token"), s.account.UserID)):
		a = refusal(codeBusiness, "authority_info授权信息无效")
	case !strings.HasPrefix(in.Header.Get("Content-Type"), "application/json"):
		a = refusal(codeBusiness, "Content-Type必须为application/json")
	case in.fields == nil:
		a = refusal(codeBusiness, "请求参数不是合法的JSON对象")
	default:
		return nil
	}
	return &a
}

// UserShape is where get_current_user_info's answer, whose layout is not
// documented, has the user's id.
type UserShape int

// The shapes.
const (
	UserInData UserShape = iota // data.id, as text
	UserNumber                  // data.id, as a number
	UserAtTop                   // id beside success, as text
)

// currentUser is get_current_user_info.
func (s *Server) currentUser(request) script.Answer {
	var id any = s.account.UserID
	if s.o.UserShape == UserNumber {
		id, _ = strconv.Atoi(s.account.UserID)
	}
	if s.o.UserShape == UserAtTop {
		return script.Answer{Body: fakevendor.Encode(map[string]any{
			"id": id, "name": "接口用户", "errorCode": "success", "status": true, "success": true,
		}), Code: "ok"}
	}
	return success(map[string]any{"id": id, "name": "接口用户", "number": "ADMIN"})
}
