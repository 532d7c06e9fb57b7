package connectors

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ErrTooLarge: there are more bytes than the limit allows.
var ErrTooLarge = errors.New("too large")

// maxRetryAfter bounds what a vendor may ask us to wait.
const maxRetryAfter = 24 * time.Hour

// ReadAll reads r to its end. More than limit bytes is [ErrTooLarge], and what was
// read is not returned: half an answer is none.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}

// RetryAfter reads the header Retry-After, as seconds or as a date, at most a day.
// It is 0 where the header is absent, past or not understood.
func RetryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(time.Until(t), 0), maxRetryAfter)
}
