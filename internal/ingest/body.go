package ingest

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// firstBytes is what is set aside for a body at first: most callbacks fit. It doubles as
// bytes come, whatever length was announced.
const firstBytes = 2 << 10

// body takes the body of a POST within the bounds of size, time and of what all bodies
// together may hold.
func (e *Endpoint) body(w http.ResponseWriter, r *http.Request, c *conn) ([]byte, answer) {
	if compressed(r.Header) {
		return nil, refuse(http.StatusUnsupportedMediaType, "encoding")
	}
	// A recorder in a test has no deadline to set; a real connection has.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(e.o.ReadTimeout))
	body, err := readAll(http.MaxBytesReader(w, r.Body, e.o.MaxBody), c)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "size")
	case err != nil && c.wasEvicted():
		return nil, refuse(http.StatusRequestTimeout, faultEvicted)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "cut")
	}
	c.read()
	if gzipped(body) {
		return nil, refuse(http.StatusUnsupportedMediaType, "encoding")
	}
	return body, answer{}
}

var errEvicted = errors.New("the connection was closed at a bound")

// readAll is [io.ReadAll] of a body whose bytes are counted for its connection.
func readAll(from io.Reader, c *conn) ([]byte, error) {
	var body []byte
	for {
		if len(body) == cap(body) {
			size := max(firstBytes, 2*cap(body))
			if !c.grow(int64(size - cap(body))) {
				return nil, errEvicted
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
