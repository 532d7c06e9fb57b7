package weiban

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// verdict is what a code of Weiban's means to us.
type verdict struct {
	kind  events.Kind
	wait  time.Duration
	means string
}

// How long an API rests after a breach of Weiban's limits (doc-382947). A
// breach of the hourly limit blocks for an hour; then the pause comes again.
const (
	waitConcurrency = time.Second
	waitFrequency   = time.Minute
)

// listed is the table of Weiban's codes (错误码参考表, doc-382946; its parts come
// from other pages). Codes of five digits: 1 is global, 2 is business.
func listed(code int64) (v verdict, ok bool) {
	switch code {
	case 10001:
		return verdict{events.Denied, 0, "the access token was refused"}, true
	case 40001, 40014, 42001: // WeCom's codes for the same; never seen, but clear
		return verdict{events.Denied, 0, "the access token was refused"}, true
	case 10049:
		return verdict{events.Rejected, 0, "a parameter is wrong"}, true
	case 10052:
		return verdict{events.Throttled, waitConcurrency, "too many calls in progress"}, true
	case 10053:
		return verdict{events.Throttled, waitFrequency, "too many calls"}, true
	case 22201:
		return verdict{events.Missing, 0, "no such opportunity"}, true
	case 22203:
		return verdict{events.Rejected, 0, "neither id nor serial number was given"}, true
	case 22301:
		return verdict{events.Missing, 0, "no such work order"}, true
	case 22302, 22303, 22304:
		return verdict{events.Rejected, 0, "no such staff member"}, true
	case 22305:
		return verdict{events.Rejected, 0, "the staff member may not act on this work order"}, true
	case 22307:
		return verdict{events.Rejected, 0, "the work order is closed"}, true
	case 22309:
		return verdict{events.Rejected, 0, "no such customer or group chat"}, true
	case 22310, 22311, 22312, 22313, 22315, 22316, 22317, 22318:
		return verdict{events.Rejected, 0, "a form component is not filled in rightly"}, true
	case 22314, 223014: // the page says the latter
		return verdict{events.Rejected, 0, "no such work order template"}, true
	case 20201, 20202, 20203, 20206, 20207, 20208, 22101:
		return verdict{events.Rejected, 0, "the request was refused"}, true
	}
	return verdict{}, false
}

// unlisted is the verdict on a code that the table does not hold: global ones
// may pass, business ones will not, and for the rest the HTTP status decides.
func unlisted(code int64, status int) verdict {
	switch {
	case code >= 10000 && code < 20000 || code < 0:
		return verdict{events.Unavailable, 0, "an unknown general error"}
	case code >= 20000 && code < 30000 || status < 500:
		return verdict{events.Rejected, 0, "refused with an unknown code"}
	default:
		return verdict{events.Unavailable, 0, "an unknown server error"}
	}
}

// head reads the code and the message that every answer starts with. An answer
// without a code (absent or null) says ok where it says nothing else and holds the
// object that was asked for. False where no code can be read: a code in another
// form, or two of them, is never taken for success.
func head(body []byte, holds string) (code int64, said string, ok bool) {
	members, isObject := object(body)
	if !isObject || strictjson.Check(body) != nil {
		return 0, "", false
	}
	var sent json.RawMessage
	for name, m := range members {
		switch {
		case !strings.EqualFold(name, "errcode"):
		case sent != nil:
			return 0, "", false
		default:
			sent = m
		}
	}
	said, _ = scalar(members["errmsg"])
	text, f := scalar(sent)
	if f == formNull {
		some, _ := object(members[holds])
		return 0, said, len(some) > 0 && (said == "" || strings.EqualFold(said, "ok"))
	}
	if d, isNumber := parseDecimal(strings.TrimSpace(text)); isNumber && d.IsInteger() && (f == formNumber || f == formText) {
		n, err := strconv.ParseInt(d.String(), 10, 64)
		return n, said, err == nil
	}
	return 0, said, false
}

// judge reads the outcome of a read: nil is success. The body is asked before
// the HTTP status, for errors come with status 200. holds is the member that an
// answer without a code may be known by, "" for none. known is false where the
// code is in no table. Secrets are taken out of what Weiban says.
func judge(a connectors.Answer, holds string, secrets ...string) (f *events.Failure, known bool) {
	code, said, ok := head(a.Body, holds)
	if !ok {
		return unreadable(a), true
	}
	v, known := listed(code)
	tooMany := a.Status == http.StatusTooManyRequests
	switch {
	case code == 0 && a.Status/100 == 2:
		return nil, true
	case !known && tooMany:
		v = verdict{events.Throttled, 0, "too many calls"}
	case code == 0:
		return unreadable(a), true
	case !known:
		v = unlisted(code, a.Status)
	}
	f = &events.Failure{Kind: v.kind, Status: a.Status, Reason: v.means, Wait: v.wait}
	if code != 0 {
		f.Code = strconv.FormatInt(code, 10)
	}
	if v.kind == events.Throttled {
		f.Wait = max(f.Wait, connectors.RetryAfter(a.Header))
	}
	if said = connectors.VendorText(said, secrets...); said != "" {
		f.Reason += ": " + said
	}
	return f, known || code == 0
}

// unreadable is the verdict on an answer without a code: a proxy's page, half an
// answer, something else entirely. Nothing of it is quoted.
func unreadable(a connectors.Answer) *events.Failure {
	f := &events.Failure{Kind: events.Unavailable, Status: a.Status}
	if a.Status == http.StatusTooManyRequests {
		f.Kind, f.Wait = events.Throttled, connectors.RetryAfter(a.Header)
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || len(kind) > 40 {
		kind = "no known content type"
	}
	f.Reason = fmt.Sprintf("the answer has no error code: HTTP %d, %s, %d bytes", a.Status, kind, len(a.Body))
	return f
}

// tokenRefused says whether the failure is about the access token that was sent.
func tokenRefused(err error) bool {
	f := events.FailureOf(err)
	return f != nil && f.Kind == events.Denied && f.Code != ""
}
