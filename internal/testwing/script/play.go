package script

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"gongdan-bridge/internal/sleep"
)

// HugeBytes is the size of the answer of a [Huge] fault.
const HugeBytes = 10 << 20

// Answer is what a simulator means to say.
type Answer struct {
	Status int    // HTTP status; 0 means 200
	Type   string // Content-Type; "" means JSON in UTF-8
	Body   []byte
	Code   string // the vendor's code or "ok", for the watcher; not sent
}

// Call is one request as the simulator has understood it.
type Call struct {
	API, Key string
	Read     bool                 // carrying it out changes nothing
	Run      func() Answer        // carries it out
	Say      func(f Fault) Answer // words a fault of the vendor's own kinds
	Release  func()               // gives back the call's slot; is called once, before the caller can know the outcome
}

// Play answers one call as the script has it, and returns the fault that was
// played and the answer that went out; Code "" means that none went out whole.
// A nil script answers every call rightly.
func (s *Script) Play(w http.ResponseWriter, r *http.Request, c Call) (Fault, Answer) {
	f := s.Next(c.API, c.Key)
	if c.Release == nil {
		c.Release = func() {}
	}
	c.Release = sync.OnceFunc(c.Release)
	defer c.Release()
	switch f.Kind {
	case None:
		return f, c.send(w, c.Run())
	case Slow:
		return f, c.slow(w, r, f)
	case Late:
		s.hold(f.Delay, func() { c.Run() })
		c.cut(w)
		return f, Answer{}
	}
	var right Answer
	if f.Commit || c.Read && (f.Kind == Half || f.Kind == Torn) {
		right = c.Run()
	}
	return f, c.damage(w, r, f, right)
}

func (c Call) slow(w http.ResponseWriter, r *http.Request, f Fault) Answer {
	var a Answer
	if f.Commit {
		a = c.Run()
	}
	if !sleep.For(r.Context(), f.Delay) {
		c.cut(w)
		return Answer{}
	}
	if !f.Commit {
		a = c.Run()
	}
	return c.send(w, a)
}

// damage answers wrongly. right is the answer that would have been given, empty
// if the call was not carried out.
func (c Call) damage(w http.ResponseWriter, r *http.Request, f Fault, right Answer) Answer {
	if len(right.Body) == 0 {
		right.Body = []byte(`{"errcode":0,"errmsg":"ok","data":"操作成功","errorCode":"success","status":true,"success":true}`)
	}
	switch f.Kind {
	case Status:
		return c.send(w, Answer{Status: or(f.Status, 500), Type: "text/plain; charset=utf-8", Body: []byte(orText(f.Text, "Internal Server Error\n"))})
	case HTML:
		return c.send(w, Answer{Status: or(f.Status, 200), Type: "text/html; charset=utf-8", Body: []byte("<!DOCTYPE html><html><head><title>系统维护中</title></head><body><h1>502 Bad Gateway</h1></body></html>\n")})
	case Half:
		return c.send(w, Answer{Body: half(right.Body)})
	case Huge:
		return c.send(w, Answer{Body: huge()})
	case Verbatim:
		return c.send(w, Answer{Status: f.Status, Body: []byte(f.Text)})
	case Torn:
		c.Release()
		tear(w, right.Body)
	case Hang:
		if f.Delay > 0 {
			sleep.For(r.Context(), f.Delay)
		} else {
			<-r.Context().Done()
		}
		c.cut(w)
	case Cut:
		c.cut(w)
	default:
		return c.send(w, c.Say(f))
	}
	return Answer{}
}

// send gives the slot back and then writes: the caller may call again as soon
// as it has read the last byte, and that call must not count this one.
func (c Call) send(w http.ResponseWriter, a Answer) Answer {
	c.Release()
	Write(w, a)
	if a.Code == "" {
		a.Code = strconv.Itoa(or(a.Status, 200))
	}
	return a
}

func (c Call) cut(w http.ResponseWriter) {
	c.Release()
	CutOff(w)
}

// Write sends an answer whole.
func Write(w http.ResponseWriter, a Answer) {
	w.Header().Set("Content-Type", orText(a.Type, "application/json;charset=UTF-8"))
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(or(a.Status, 200))
	_, _ = w.Write(a.Body) // a caller that has left is no fault of the simulator
}

// half is the first half of a body; a JSON object cut there is never whole.
func half(b []byte) []byte { return b[:len(b)/2] }

func huge() []byte {
	const head, tail = `{"errcode":0,"errorCode":"success","success":true,"data":"`, `"}`
	var b bytes.Buffer
	b.Grow(HugeBytes)
	b.WriteString(head)
	b.Write(bytes.Repeat([]byte{'x'}, HugeBytes-len(head)-len(tail)))
	b.WriteString(tail)
	return b.Bytes()
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
