package fakekingdee

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

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
	method, path, rawQuery string
	query                  url.Values
	header                 http.Header
	body                   []byte
	fields                 map[string]any // the body if it is a JSON object; numbers as json.Number
}

// route is one call. check and run are called under the lock; check gives a
// refusal, or nothing where the caller may go in.
type route struct {
	api, method string
	read        bool
	key         func(request) string
	check       func(request) *script.Answer
	run         func(request) script.Answer
}

func (s *Server) table() map[string]route {
	none := func(request) string { return "" }
	id := func(in request) string { return text(in.fields["id"]) }
	return map[string]route{
		"/jdyconnector/app_management/push_app_authorize": {APIAuthorise, http.MethodPost, true, none, s.checkSigned, s.authorise},
		"/jdyconnector/app_management/kingdee_auth_token": {APIToken, http.MethodGet, false, none, s.checkSigned, s.authToken},
		"/weigusoft/basedata/get_current_user_info":       {APIUser, http.MethodPost, true, none, s.checkToken, s.currentUser},
		"/weigusoft/wg_crm/wg_handleBillBusinessApi":      {APIHandle, http.MethodPost, false, orderOf, s.checkCaller, s.handleOrder},
		"/weigusoft/wg_cost/loadList":                     {APIList, http.MethodPost, true, listedOrder, s.checkCaller, s.loadList},
		"/weigusoft/wg_cost/loadData":                     {APIData, http.MethodPost, true, id, s.checkCaller, s.loadData},
		"/jdy/basedata/attachment_upload":                 {APIUpload, http.MethodPost, false, none, s.checkToken, s.upload},
	}
}

// ServeHTTP answers one call of the gateway.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		script.CutOff(w)
		return
	}
	call, ok := s.routes[r.URL.Path]
	if !ok {
		script.Write(w, gatewayFault(5001))
		return
	}
	if r.Method != call.method {
		script.Write(w, gatewayFault(5002))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	s.answer(w, r, call, request{
		method: r.Method, path: r.URL.Path, rawQuery: r.URL.RawQuery, query: r.URL.Query(),
		header: r.Header, body: body, fields: object(body),
	})
}

// answer plays one understood call: quota, latency, script.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, call route, in request) {
	began, key := time.Now(), call.key(in)
	if !s.enter(call.api) {
		a := gatewayFault(5007)
		script.Write(w, a)
		s.see(call.api, key, a, script.None, began)
		return
	}
	if !script.Wait(r.Context(), s.o.Latency) {
		script.CutOff(w)
		return
	}
	fault, a := s.o.Script.Play(w, r, script.Call{
		API: call.api, Key: key, Read: call.read,
		Run: func() script.Answer { return s.run(call, in) },
		Say: func(f script.Fault) script.Answer { return s.say(call.api, f, in) },
	})
	s.see(call.api, key, a, fault.Kind, began)
}

// run carries a call out.
func (s *Server) run(call route, in request) script.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := call.check(in); no != nil {
		return *no
	}
	a := call.run(in)
	if a.Code == "ok" {
		c := s.counts[call.api]
		c.OK++
		s.counts[call.api] = c
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
		s.mu.Lock()
		defer s.mu.Unlock()
		if token := in.query.Get("access_token"); token != "" {
			s.tokens[token] = time.Time{}
		}
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

func (s *Server) see(api, key string, a script.Answer, fault script.Kind, began time.Time) {
	s.o.Observe.See(script.Event{
		At: s.o.Clock(), Vendor: "kingdee", What: "call", API: api, Key: key,
		Outcome: a.Code, Fault: fault, Took: time.Since(began),
	})
}
