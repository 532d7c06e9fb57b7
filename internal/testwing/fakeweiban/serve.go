package fakeweiban

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

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
type request struct {
	query url.Values
	body  []byte
}

// route is one call of the open API. run is called under the lock and returns
// either the members of the answer or an errcode.
type route struct {
	api, method string
	key         func(url.Values) string
	run         func(request) (object, int)
}

func (s *Server) table() map[string]route {
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
	return map[string]route{
		"/open-api/" + APIToken:           {APIToken, http.MethodPost, none, s.accessToken},
		"/open-api/" + APIOrder:           {APIOrder, http.MethodGet, param("order_no"), s.orderDetail},
		"/open-api/" + APIOrderList:       {APIOrderList, http.MethodGet, none, s.orderList},
		"/open-api/" + APIOpportunity:     {APIOpportunity, http.MethodGet, deal, s.opportunityOne},
		"/open-api/" + APIOpportunityList: {APIOpportunityList, http.MethodGet, none, s.opportunityList},
		"/open-api/" + APIStaff:           {APIStaff, http.MethodGet, param("staff_id"), s.staffGet},
		"/open-api/" + APIStaffList:       {APIStaffList, http.MethodGet, none, s.staffList},
	}
}

// ServeHTTP answers one call of the open API. Whatever Weiban would say it says
// with HTTP 200; other statuses are for what is not Weiban's API at all.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		script.CutOff(w)
		return
	}
	if strings.HasPrefix(r.URL.Path, picturePath+"/") {
		s.picture(w, r)
		return
	}
	call, ok := s.routes[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != call.method {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
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
	s.answer(w, r, call, request{query: r.URL.Query(), body: body})
}

// answer plays one understood call: quota, latency, script.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, call route, in request) {
	began, key := time.Now(), call.key(in.query)
	if code := s.enter(call.api); code != 0 {
		a := refusal(code, "")
		script.Write(w, a)
		s.see(call.api, key, a, script.None, began)
		return
	}
	release := sync.OnceFunc(s.leave)
	defer release()
	if !script.Wait(r.Context(), s.o.Latency) {
		return
	}
	fault, a := s.o.Script.Play(w, r, script.Call{
		API: call.api, Key: key, Read: call.api != APIToken, Release: release,
		Run: func() script.Answer { return s.run(call, in) },
		Say: func(f script.Fault) script.Answer { return s.say(f, in) },
	})
	s.see(call.api, key, a, fault.Kind, began)
}

// run carries a call out.
func (s *Server) run(call route, in request) script.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if call.api != APIToken && !s.authorised(in.query.Get("access_token")) {
		return refusal(codeToken, "")
	}
	members, code := call.run(in)
	if code != 0 {
		return refusal(code, "")
	}
	s.meter(call.api).calls.OK++
	out := object{"errcode": 0, "errmsg": "ok"}
	maps.Copy(out, members)
	return script.Answer{Body: encode(out), Code: "ok"}
}

// say words a scripted fault as Weiban would.
func (s *Server) say(f script.Fault, in request) script.Answer {
	code := codeParameter
	switch f.Kind {
	case script.Throttle:
		code = codeFrequency
	case script.TokenExpired:
		s.mu.Lock()
		delete(s.tokens, in.query.Get("access_token"))
		s.mu.Unlock()
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
		Body: encode(object{"errcode": code, "errmsg": text}),
		Code: strconv.Itoa(code),
	}
}

func (s *Server) see(api, key string, a script.Answer, fault script.Kind, began time.Time) {
	s.o.Observe.See(script.Event{
		At: s.o.Clock(), Vendor: "weiban", What: "call", API: api, Key: key,
		Outcome: a.Code, Fault: fault, Took: time.Since(began),
	})
}
