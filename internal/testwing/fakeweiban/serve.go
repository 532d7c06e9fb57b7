package fakeweiban

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Names of the calls, for scripts, counts and watchers.
const (
	APIToken           = "access_token/get"
	APIOrder           = "workorder/detail"
	APIOrderList       = "workorder/list"
	APIOpportunity     = "opportunity/one"
	APIOpportunityList = "opportunity/list"
	APIStaff           = "staff/get"
	APIStaffList       = "staff/list"
)

// maxRequest is the most that is read of a request's body.
const maxRequest = 1 << 20

// codeParameter is Weiban's "other parameter error".
const codeParameter = 10049

// request is what a call asks.
type request = fakevendor.Request

// call is one call of the open API. It is called under the lock and returns either
// the members of the answer or an errcode.
type call func(request) (object, int)

func (s *Server) table() map[string]fakevendor.Route {
	none := func(url.Values) string { return "" }
	param := func(name string) func(url.Values) string {
		return func(q url.Values) string { return q.Get(name) }
	}
	deal := func(q url.Values) string {
		if id := q.Get("id"); id != "" {
			return id
		}
		return q.Get("serial_number")
	}
	routes := map[string]fakevendor.Route{}
	add := func(api, method string, key func(url.Values) string, run call) {
		routes["/open-api/"+api] = fakevendor.Route{API: api, Method: method, Call: func(in request) script.Call {
			return script.Call{
				Key: key(in.Query), Read: api != APIToken,
				Run: func() script.Answer { return s.run(api, run, in) },
				Say: func(f script.Fault) script.Answer { return s.say(f, in) },
			}
		}}
	}
	add(APIToken, http.MethodPost, none, s.accessToken)
	add(APIOrder, http.MethodGet, param("order_no"), s.orderDetail)
	add(APIOrderList, http.MethodGet, none, s.orderList)
	add(APIOpportunity, http.MethodGet, deal, s.opportunityOne)
	add(APIOpportunityList, http.MethodGet, none, s.opportunityList)
	add(APIStaff, http.MethodGet, param("staff_id"), s.staffGet)
	add(APIStaffList, http.MethodGet, none, s.staffList)
	return routes
}

// find gives the call behind a path. Whatever Weiban would say it says with HTTP
// 200; other statuses are for what is not Weiban's API at all.
func (s *Server) find(path string) (fakevendor.Route, bool) {
	if strings.HasPrefix(path, picturePath+"/") {
		return fakevendor.Route{API: APIPicture, Method: http.MethodGet, Free: true, Call: s.picture}, true
	}
	r, ok := s.routes[path]
	return r, ok
}

// run carries a call out.
func (s *Server) run(api string, c call, in request) script.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if api != APIToken && !s.authorised(in.Query.Get("access_token")) {
		return refusal(codeToken, "")
	}
	members, code := c(in)
	if code != 0 {
		return refusal(code, "")
	}
	s.Count(api, func(n *Calls) { n.OK++ })
	out := object{"errcode": 0, "errmsg": "ok"}
	maps.Copy(out, members)
	return script.Answer{Body: fakevendor.Encode(out), Code: "ok"}
}

// say words a scripted fault as Weiban would.
func (s *Server) say(f script.Fault, in request) script.Answer {
	code := codeParameter
	switch f.Kind {
	case script.Throttle:
		code = codeFrequency
	case script.TokenExpired:
		s.ExpireToken(in.Query.Get("access_token"))
		code = codeToken
	case script.Odd:
		return script.Answer{Body: []byte(`{"errcode":0,"errmsg":"ok","result":[["eJwrSS0uAQAEXQHB"]]}`), Code: "odd"}
	}
	if n, err := strconv.Atoi(f.Code); err == nil {
		code = n
	}
	return refusal(code, f.Text)
}

// refusal is Weiban's envelope with an errcode; text "" is the usual one.
func refusal(code int, text string) script.Answer {
	if text == "" {
		text = Refusal{Code: code}.words()
	}
	return script.Answer{
		Body: fakevendor.Encode(object{"errcode": code, "errmsg": text}),
		Code: strconv.Itoa(code),
	}
}
