package fakeweiban

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"gongdan-bridge/internal/testwing/script"
)

// PictureHost is the host in the addresses of pictures. No name server knows it:
// see [Server.Pictures].
const PictureHost = "pictures.weiban.example"

// APIPicture is the fetching of a picture, for scripts and watchers.
const APIPicture = "picture"

// AddPicture keeps a picture and gives its address, which is signed: without its
// query it is refused. Where Weiban really keeps them, and for how long, no page
// says.
func (s *Server) AddPicture(name string, content []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := fmt.Sprintf("/%d/%s", s.nextID(), url.PathEscape(name))
	s.pictures[at] = keptPicture{sign: fmt.Sprintf("sign-%016x", s.random.Uint64()), content: slices.Clone(content)}
	return "https://" + PictureHost + at + "?sign=" + s.pictures[at].sign
}

type keptPicture struct {
	sign    string
	content []byte
}

// picture answers for PictureHost; unlike the API it speaks by HTTP status.
func (s *Server) picture(in request) script.Call {
	at := strings.TrimPrefix(in.EscapedPath, picturePath)
	run := func() script.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		p, ok := s.pictures[at]
		switch {
		case !ok:
			return script.Answer{Status: http.StatusNotFound, Type: "text/html", Body: []byte("not found"), Code: "404"}
		case in.Query.Get("sign") != p.sign:
			return script.Answer{Status: http.StatusForbidden, Type: "text/html", Body: []byte("expired"), Code: "403"}
		}
		return script.Answer{Type: "application/octet-stream", Body: bytes.Clone(p.content), Code: "ok"}
	}
	return script.Call{
		Key: path.Base(in.Path), Read: true, Run: run,
		Say: func(script.Fault) script.Answer { return script.Answer{Status: http.StatusServiceUnavailable} },
	}
}

// picturePath is where the server's own port answers for PictureHost.
const picturePath = "/pictures"

// Pictures reaches PictureHost, and no other host, at this server's port.
func (s *Server) Pictures() http.RoundTripper { return pictureWay{s} }

type pictureWay struct{ s *Server }

// RoundTrip asks the server's port what PictureHost is asked.
func (p pictureWay) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(p.s.URL())
	if err != nil || to.Host == "" || r.URL.Host != PictureHost || r.URL.Scheme != "https" {
		return nil, errors.New("no such host")
	}
	c := r.Clone(r.Context())
	c.URL.Scheme, c.URL.Host, c.Host = to.Scheme, to.Host, ""
	c.URL.Path, c.URL.RawPath = picturePath+r.URL.Path, picturePath+r.URL.EscapedPath()
	return http.DefaultTransport.RoundTrip(c)
}
