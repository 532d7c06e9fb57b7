package kingdee

import (
	"net/http"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// remedy is what may make a refused call pass when it is made again. A remedy is
// only ever given where nothing ran.
type remedy int

const (
	hopeless  remedy = iota
	newToken         // the token is refused
	newRoute         // groupName, domain or appSecret are out of date
	signAgain        // the time stamp of a signature is refused
)

// meaning is what a code says: the failure's kind for a read and for a write, the
// remedy to try first, and a sentence for a person.
type meaning struct {
	read, write events.Kind
	remedy      remedy
	text        string
}

// meaningOf is the table of all codes that are known, of the gateway (four digits,
// HTTP 519) and of the applications behind it. It is asked before the HTTP status.
func meaningOf(code string) (meaning, bool) {
	denied := func(r remedy, text string) (meaning, bool) {
		return meaning{events.Denied, events.Denied, r, text}, true
	}
	mayHaveRun := func(text string) (meaning, bool) {
		return meaning{events.Unavailable, events.Uncertain, hopeless, text}, true
	}
	both := func(k events.Kind, text string) (meaning, bool) {
		return meaning{k, k, hopeless, text}, true
	}
	switch code {
	case "4001":
		return denied(hopeless, "the gateway does not support this kind of authorisation")
	case "4002", "4003":
		return denied(hopeless, "the client id is empty or wrong")
	case "4004", "4005":
		return denied(hopeless, "the client secret is empty or wrong")
	case "4006":
		return denied(signAgain, "the signature's time stamp is refused: is the clock right?")
	case "4007", "4008":
		return denied(hopeless, "the signature is refused")
	case "4009", "4010", "4011":
		return denied(newToken, "the access token is empty, wrong or expired")
	case "4012":
		return denied(hopeless, "the app has no permission for this API")
	case "5000":
		return mayHaveRun("the service failed inside")
	case "5001":
		return denied(newRoute, "the gateway does not find the API: the account's domain may have moved")
	case "5002":
		return both(events.Internal, "the gateway does not accept the method")
	case "5003":
		return mayHaveRun("the API is not available")
	case "5004":
		return mayHaveRun("the API did not answer the gateway in time")
	case "5005":
		return mayHaveRun("the gateway cancelled the request")
	case "5006":
		return both(events.Unavailable, "the gateway's breaker is open")
	case "5007":
		return both(events.Throttled, "the gateway is overloaded")
	case "11010001":
		return denied(newRoute, "the group name is out of date")
	case "1030002006":
		return denied(newRoute, "the app secret is out of date")
	case "1020002008":
		return denied(newToken, "the token is refused")
	case "2000002000":
		return mayHaveRun("the vendor reports a system error")
	case "10201":
		return both(events.Rejected, "the application reports a business failure")
	}
	return meaning{}, false
}

// ofGateway reports a code of the gateway's, which is never about one bill.
func ofGateway(code string) bool { return len(code) == 4 }

// verdict is one answer, judged.
type verdict struct {
	envelope envelope
	failure  *events.Failure // nil = success
	remedy   remedy
	unlisted bool // a code that the table does not have
}

// reader reads the answers of one sort of call.
type reader struct {
	dialect  dialect
	write    bool
	throttle time.Duration // the pause after a throttle that names none
	secrets  []string      // never to be quoted
}

// judge reads the outcome: the listed code first, then the HTTP status, then the
// flags of the body. What contradicts itself or cannot be read is no outcome.
func (b reader) judge(a connectors.Answer) verdict {
	e, err := readEnvelope(a.Body, b.dialect)
	e.text = connectors.VendorText(e.text, b.secrets...)
	v := verdict{envelope: e}
	if err != nil {
		v = b.byStatus(a)
		if v.failure == nil {
			v.failure = b.noOutcome(a, "the answer cannot be read", err)
		}
		return v
	}
	m, listed := meaningOf(e.code)
	switch {
	case e.done && e.code != "":
		v.failure = b.noOutcome(a, "the answer says both yes and no", nil)
	case listed:
		v.remedy = m.remedy
		v.failure = b.failure(a, m.kind(b.write), e, m.text)
	case e.done && a.Status/100 == 2:
	case e.done:
		v.failure = b.noOutcome(a, "the answer says yes under a failing HTTP status", nil)
	default:
		v = b.unlisted(a, e)
	}
	return v
}

func (m meaning) kind(write bool) events.Kind {
	if write {
		return m.write
	}
	return m.read
}

// unlisted judges a readable refusal that the table does not know.
func (b reader) unlisted(a connectors.Answer, e envelope) verdict {
	v := b.byStatus(a)
	if v.failure == nil {
		v.failure = b.failure(a, events.Rejected, e, "")
		if b.dialect == connector {
			v.failure.Kind = events.Denied // it refuses the credentials, not an order
		}
		// A token's end may come under an undocumented code. A write is not repeated
		// for a guess.
		if !b.write && namesToken(e.text) {
			v.remedy = newToken
		}
	}
	v.envelope, v.unlisted = e, e.code != ""
	v.failure.Code = e.code
	return v
}

// byStatus judges by the HTTP status, where that alone says something.
func (b reader) byStatus(a connectors.Answer) verdict {
	f := &events.Failure{Status: a.Status, Reason: "HTTP " + http.StatusText(a.Status)}
	switch {
	case a.Status == http.StatusTooManyRequests:
		f.Kind, f.Wait, f.Reason = events.Throttled, b.wait(a), "the vendor asks to call less often"
	case a.Status == http.StatusUnauthorized:
		f.Kind, f.Reason = events.Denied, "the credentials are refused"
		return verdict{failure: f, remedy: newToken}
	case a.Status == http.StatusForbidden:
		f.Kind, f.Reason = events.Denied, "access is refused"
	case a.Status == http.StatusNotFound && strings.Contains(strings.ToLower(string(a.Body)), "no route"):
		f.Kind, f.Reason = events.Denied, "there is no route to the account: its domain may have moved"
		return verdict{failure: f, remedy: newRoute}
	case a.Status >= 500:
		return verdict{failure: b.noOutcome(a, "the vendor failed", nil)}
	default:
		return verdict{}
	}
	return verdict{failure: f}
}

// noOutcome is an answer that does not tell what happened.
func (b reader) noOutcome(a connectors.Answer, why string, cause error) *events.Failure {
	f := &events.Failure{Kind: events.Unavailable, Status: a.Status, Reason: why, Err: connectors.Scrub(cause)}
	if b.write {
		f.Kind = events.Uncertain
	}
	return f
}

func (b reader) failure(a connectors.Answer, kind events.Kind, e envelope, text string) *events.Failure {
	f := &events.Failure{Kind: kind, Code: e.code, Status: a.Status, Reason: text}
	if e.text != "" {
		f.Reason = strings.TrimPrefix(text+": "+e.text, ": ")
	}
	if f.Reason == "" {
		f.Reason = "refused without a reason"
	}
	if kind == events.Throttled {
		f.Wait = b.wait(a)
	}
	return f
}

func (b reader) wait(a connectors.Answer) time.Duration {
	if d := connectors.RetryAfter(a.Header); d > 0 {
		return d
	}
	return b.throttle
}

func namesToken(text string) bool {
	low := strings.ToLower(text)
	return strings.Contains(low, "token") || strings.Contains(text, "授权") || strings.Contains(text, "登录")
}
