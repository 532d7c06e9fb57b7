package script

import (
	"net"
	"net/http"
	"strconv"
)

// severable is a connection that this package made itself, see [Memory].
type severable interface{ sever() }

// CutOff resets the connection that w would answer on, without a byte more. A
// writer that cannot be cut ends its handler by http.ErrAbortHandler.
func CutOff(w http.ResponseWriter) {
	closeConn(w, true)
}

// tear promises the whole body and closes the connection after half of it.
func tear(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(half(body)) // the connection is lost either way
	_ = http.NewResponseController(w).Flush()
	closeConn(w, false)
}

func closeConn(w http.ResponseWriter, reset bool) {
	if s, ok := w.(severable); ok {
		s.sever()
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // makes the close a reset; a plain close would do
	}
	_ = conn.Close()
}
