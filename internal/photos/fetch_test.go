package photos

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/connectortest"
)

// faulty hosts: what each is asked for, and what is said of it.
func faulty(mux *http.ServeMux) {
	on := func(path string, h http.HandlerFunc) { mux.HandleFunc("/img.example.com/"+path, h) }
	lead := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to+"?sign="+secret, http.StatusFound)
		}
	}
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, r.URL.String())
		}
	}
	on("moved", lead("//a.more.example/good.png"))
	mux.HandleFunc("/a.more.example/good.png", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, png) })
	on("away", lead("https://evil.example/good.png"))
	on("inside", lead("http://169.254.169.254/latest"))
	on("port", lead("https://img.example.com:8443/good.png"))
	on("round", lead("/round"))
	on("file", lead("file:///etc/passwd"))
	on("gone", answer(404))
	on("denied", answer(403))
	on("busy", answer(503))
	on("none", answer(204))
	on("html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "<html>"+secret)
	})
	on("jpeg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "\xff\xd8\xff")
	})
	on("empty", func(http.ResponseWriter, *http.Request) {})
	on("large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "101")
		_, _ = io.WriteString(w, png)
	})
	on("endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, png); err != nil {
				return
			}
		}
	})
	full := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // and so without a Content-Length
			_, _ = io.WriteString(w, png+strings.Repeat("x", n-len(png)))
		}
	}
	on("full", full(100))
	on("more", full(101))
	on("short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "90")
		_, _ = io.WriteString(w, png)
	})
	on("cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func TestWhatIsNoPicture(t *testing.T) {
	for _, tc := range []struct {
		source string
		kind   events.Kind // "" is a picture
		says   string
	}{
		{"https://img.example.com/moved", "", ""},
		{"https://img.example.com/full", "", ""},
		{"https://img.example.com/more", events.Rejected, "it is larger than kingdee.photos.max_bytes (100 bytes)"},
		{"https://evil.example/good.png", events.Rejected, "the host evil.example is not in kingdee.photos.hosts"},
		{"https://img.example.com@evil.example/good.png", events.Rejected, "the host evil.example is not in"},
		{"https://user:" + secret + "@img.example.com/good.png", events.Rejected, "img.example.com: the address names a user"},
		{"https://img.example.com:444/good.png", events.Rejected, "img.example.com: the address names a port"},
		{"https://" + secret + "_/x", events.Rejected, "the host of its source is not in"},
		{"https://[::1]/good.png", events.Rejected, "the host of its source is not in"},
		{"https://127.0.0.1/good.png", events.Rejected, "the host 127.0.0.1 is not in"},
		{"ftp://img.example.com/good.png", events.Rejected, "its source is no web address"},
		{"data:image/png;base64," + secret, events.Rejected, "its source is no web address"},
		{"https://img.example.com/%zz", events.Rejected, "its source is no web address"},
		{"https://img.example.com/away", events.Rejected, "the host evil.example is not in"},
		{"https://img.example.com/inside", events.Rejected, "the host 169.254.169.254 is not in"},
		{"https://img.example.com/port", events.Rejected, "the address names a port"},
		{"https://img.example.com/file", events.Rejected, "its source is no web address"},
		{"https://img.example.com/round", events.Rejected, "img.example.com: it leads from one address to the next"},
		{"https://img.example.com/gone", events.Rejected, "img.example.com: HTTP 404, the picture is not there"},
		{"https://img.example.com/denied", events.Rejected, "img.example.com: HTTP 403, the address may have expired"},
		{"https://img.example.com/none", events.Rejected, "img.example.com: HTTP 204"},
		{"https://img.example.com/html", events.Rejected, "it looks like text/html"},
		{"https://img.example.com/jpeg", events.Rejected, "it looks like image/jpeg"},
		{"https://img.example.com/empty", events.Rejected, "it looks like text/plain"},
		{"https://img.example.com/large", events.Rejected, "it is larger than kingdee.photos.max_bytes (100 bytes)"},
		{"https://img.example.com/endless", events.Rejected, "it is larger than kingdee.photos.max_bytes (100 bytes)"},
		{"https://img.example.com/short", events.Unavailable, "img.example.com: the connection was closed before the end"},
		{"https://img.example.com/cut", events.Unavailable, "img.example.com: the connection was closed before the end"},
		{"https://img.example.com/busy", events.Unavailable, "img.example.com: HTTP 503"},
	} {
		s := newSetting(t, nil)
		faulty(s.mux)
		source := kingdee.Photo{URL: tc.source + "?sign=" + secret, Name: "a.png"}
		_, _, err := s.Ready(t.Context(), kingdee.Body{PhotosPre: []kingdee.Photo{photo(good), source}})
		if got := events.KindOf(err); got != tc.kind {
			t.Errorf("%s: %v", tc.source, err)
			continue
		}
		if tc.kind == "" {
			continue
		}
		f := events.FailureOf(err)
		if !strings.HasPrefix(f.Reason, "attmentInforspre[1]: ") || !strings.Contains(f.Reason, tc.says) || f.Field != "attmentInforspre[1]" || f.API == "" {
			t.Errorf("%s: %+v", tc.source, f)
		}
		connectortest.NoSecret(t, err, secret)
		tries := 1
		if tc.kind == events.Unavailable {
			tries = 3
		}
		if n := s.asked() - 1; tc.says != "" && strings.Contains(tc.says, "HTTP") && n != tries {
			t.Errorf("%s: %d requests", tc.source, n)
		}
		// The same, where a call may go without it.
		s = newSetting(t, func(o *Options) { o.Without = true })
		faulty(s.mux)
		body, left, err := s.Ready(t.Context(), kingdee.Body{PhotosPre: []kingdee.Photo{source, photo(good)}})
		if err != nil || len(body.PhotosPre) != 1 || len(left) != 1 || !strings.HasPrefix(left[0], "attmentInforspre[0]: ") || !strings.Contains(left[0], tc.says) {
			t.Errorf("%s, left out: %v, %v, %v", tc.source, body.PhotosPre, left, err)
		}
		connectortest.NoSecret(t, errors.New(strings.Join(left, " ")), secret)
	}
}
