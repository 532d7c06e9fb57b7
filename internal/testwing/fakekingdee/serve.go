package fakekingdee

import (
	"net/http"
	"strconv"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Names of the calls, for scripts, counts and watchers.
const (
	APIAuthorise = "push_app_authorize"
	APIToken     = "kingdee_auth_token"
	APIUser      = "get_current_user_info"
	APIHandle    = "handle-order"
	APIList      = "loadList"
	APIData      = "loadData"
	APIUpload    = "attachment_upload"
)

// maxRequest is the most that is read of a request's body.
const maxRequest = 32 << 20

// request is what a call asks.
type request struct {
	fakevendor.Request
	fields map[string]any // the body if it is a JSON object; numbers as json.Number
}

// call is one API. check and run are called under the lock; check gives a refusal,
// or nothing where the caller may go in.
type call struct {
	read  bool
	key   func(request) string
	check func(request) *script.Answer
	run   func(request) script.Answer
}

func (s *Server) table() map[string]fakevendor.Route {
	none := func(request) string { return "" }
	id := func(in request) string { return text(in.fields["id"]) }
	route := func(api, method string, c call) fakevendor.Route {
		return fakevendor.Route{API: api, Method: method, Call: func(r fakevendor.Request) script.Call {
			in := request{r, object(r.Body)}
			return script.Call{
				Key: c.key(in), Read: c.read,
				Run: func() script.Answer { return s.run(api, c, in) },
				Say: func(f script.Fault) script.Answer { return s.say(api, f, in) },
			}
		}}
	}
	return map[string]fakevendor.Route{
		"/jdyconnector/app_management/push_app_authorize": route(APIAuthorise, http.MethodPost, call{true, none, s.checkSigned, s.authorise}),
		"/jdyconnector/app_management/kingdee_auth_token": route(APIToken, http.MethodGet, call{false, none, s.checkSigned, s.authToken}),
		"/weigusoft/basedata/get_current_user_info":       route(APIUser, http.MethodPost, call{true, none, s.checkToken, s.currentUser}),
		"/weigusoft/wg_crm/wg_handleBillBusinessApi":      route(APIHandle, http.MethodPost, call{false, orderOf, s.checkCaller, s.handleOrder}),
		"/weigusoft/wg_cost/loadList":                     route(APIList, http.MethodPost, call{true, listedOrder, s.checkCaller, s.loadList}),
		"/weigusoft/wg_cost/loadData":                     route(APIData, http.MethodPost, call{true, id, s.checkCaller, s.loadData}),
		"/jdy/basedata/attachment_upload":                 route(APIUpload, http.MethodPost, call{false, none, s.checkToken, s.upload}),
	}
}

// run carries a call out.
func (s *Server) run(api string, c call, in request) script.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := c.check(in); no != nil {
		return *no
	}
	a := c.run(in)
	if a.Code == "ok" {
		s.Count(api, func(n *Calls) { n.OK++ })
	}
	return a
}

// say words a scripted fault as the gateway or the app would.
func (s *Server) say(api string, f script.Fault, in request) script.Answer {
	switch f.Kind {
	case script.Throttle:
		if f.Status == http.StatusTooManyRequests {
			return script.Answer{Status: f.Status, Type: "text/plain", Body: []byte("Too Many Requests\n"), Code: "429"}
		}
		return gatewayFault(5007)
	case script.TokenExpired:
		s.ExpireToken(in.Query.Get("access_token"))
		return gatewayFault(4011)
	case script.GroupMoved:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moveGroup()
		return refusal(codeGroup, "groupName已变更,请重新获取授权信息")
	case script.Odd:
		return script.Answer{Body: []byte(`{"errorCode":"success","status":true,"success":true,"result":{"pack":"eJwrSS0uAQAEXQHB"}}`), Code: "odd"}
	case script.Refuse:
		return refusal(codeBusiness, f.Text)
	}
	code, err := strconv.Atoi(f.Code)
	switch {
	case err == nil && code >= 4000 && code < 6000:
		return gatewayFault(code)
	case err == nil && (api == APIAuthorise || api == APIToken):
		return connectorFault(code, f.Text)
	}
	return refusal(f.Code, f.Text)
}
