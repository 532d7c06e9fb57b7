package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// answer is what a request gets, and what its log line says of it.
type answer struct {
	status int
	fault  string // one word for the log and the metric; "" when all is well
	echo   []byte // the plain reply of a URL verification
}

func refuse(status int, fault string) answer { return answer{status: status, fault: fault} }

// The texts that Weiban is told. Every refusal of a signature, key or receiver
// reads the same, so that nobody learns which of them was wrong.
func (a answer) message() string {
	switch a.status {
	case http.StatusOK:
		return "ok"
	case http.StatusBadRequest:
		return "not a callback"
	case http.StatusForbidden:
		return "not verified"
	case http.StatusNotFound:
		return "no such address"
	case http.StatusMethodNotAllowed:
		return "use GET or POST"
	case http.StatusRequestTimeout:
		return "too slow, send again"
	case http.StatusRequestEntityTooLarge:
		return "body too large"
	case http.StatusUnsupportedMediaType:
		return "send the body as it is, without a Content-Encoding"
	default:
		return "not stored, send again"
	}
}

func (a answer) write(w http.ResponseWriter, retryAfter time.Duration) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.echo != nil {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(a.echo)))
		_, _ = w.Write(a.echo) // the client is gone: nobody is left to tell
		return
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	switch a.status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(max(1, int(retryAfter.Seconds()))))
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, POST")
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "identity")
	}
	body := struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
	}{0, a.message()}
	if a.status != http.StatusOK {
		body.Code = a.status
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body) // as above
}
