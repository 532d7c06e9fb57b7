package photos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
)

const (
	png    = "\x89PNG\r\n\x1a\n and more"
	secret = "hunter2-in-the-address"
)

// street leads every host to one server, by the path /<host>/<path>.
type street struct{ to string }

func (s street) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.Header.Get("Referer") != "" || len(r.Cookies()) > 0 {
		return nil, fmt.Errorf("asked %s with %v", r.URL.Redacted(), r.Header)
	}
	c := r.Clone(r.Context())
	c.URL.Scheme, c.URL.Path, c.URL.Host = "http", "/"+r.URL.Host+r.URL.Path, s.to
	return http.DefaultTransport.RoundTrip(c)
}

// kingdeeFiles is Kingdee's file service.
type kingdeeFiles struct {
	mu    sync.Mutex
	files []string // name, type and size of each, in no order
	fails []error  // of the next calls
}

func (k *kingdeeFiles) upload(_ context.Context, f kingdee.File) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.fails) > 0 {
		err := k.fails[0]
		k.fails = k.fails[1:]
		return "", err
	}
	k.files = append(k.files, fmt.Sprint(f.Name, " ", f.Type, " ", len(f.Data)))
	return fmt.Sprint("https://tf.jdy.com/file/", len(k.files)), nil
}

type setting struct {
	*Uploader
	files *kingdeeFiles
	mux   *http.ServeMux
	asked func() int
}

func newSetting(t *testing.T, change func(*Options)) setting {
	t.Helper()
	s := setting{files: &kingdeeFiles{}, mux: http.NewServeMux()}
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.asked = func() int { mu.Lock(); defer mu.Unlock(); return n }
	s.mux.HandleFunc("/img.example.com/good.png", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, png) })
	o := Options{
		Upload: s.files.upload, Hosts: []string{"img.example.com", "*.more.example"}, Types: []string{"image/png", "image/gif"},
		MaxBytes: 100, MaxCount: 2, Within: time.Minute, Tries: 3, Wait: time.Millisecond,
		Transport: street{strings.TrimPrefix(server.URL, "http://")},
	}
	if change != nil {
		change(&o)
	}
	s.Uploader = New(o)
	return s
}

func photo(address string) kingdee.Photo {
	return kingdee.Photo{URL: address + "?sign=" + secret, Name: "now"}
}

const good = "https://img.example.com/good.png"

func TestEveryPictureIsUploaded(t *testing.T) {
	s := newSetting(t, nil)
	body := kingdee.Body{OrderNo: "fwgs-1", Note: "n", PhotosPre: []kingdee.Photo{photo(good), photo("http://img.example.com/good.png")}, PhotosAfter: []kingdee.Photo{photo(good)}}
	sources := slices.Concat(body.PhotosPre, body.PhotosAfter)
	got, left, err := s.Ready(t.Context(), body)
	if err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
	if diff := cmp.Diff([]string{"now.png image/png 17", "now.png image/png 17", "now.png image/png 17"}, s.files.files); diff != "" {
		t.Error(diff)
	}
	seen := map[string]bool{}
	for _, p := range slices.Concat(got.PhotosPre, got.PhotosAfter) {
		if !strings.HasPrefix(p.URL, "https://tf.jdy.com/file/") || p.Name != "now" || seen[p.URL] {
			t.Errorf("%+v", p)
		}
		seen[p.URL] = true
	}
	if len(got.PhotosPre) != 2 || len(got.PhotosAfter) != 1 || got.OrderNo != "fwgs-1" || got.Note != "n" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(sources, slices.Concat(body.PhotosPre, body.PhotosAfter)); diff != "" {
		t.Errorf("the recorded sources were changed: %s", diff)
	}
	if _, _, err := s.Ready(t.Context(), body); err != nil || len(s.files.files) != 6 {
		t.Errorf("a second send uploaded %d files in all, %v", len(s.files.files), err)
	}
	if got, _, err := s.Ready(t.Context(), kingdee.Body{OrderNo: "x"}); err != nil || got.OrderNo != "x" || s.asked() != 6 {
		t.Errorf("a body without pictures: %v, %v", got, err)
	}
}

// TestAllFaultsAreToldAtOnce, each with its place, and no field has too many.
func TestAllFaultsAreToldAtOnce(t *testing.T) {
	s := newSetting(t, nil)
	gone, foreign := photo("https://img.example.com/gone"), photo("https://evil.example/x")
	_, _, err := s.Ready(t.Context(), kingdee.Body{PhotosPre: []kingdee.Photo{photo(good), gone, photo(good)}, PhotosAfter: []kingdee.Photo{foreign}})
	want := "attmentInforspre[1]: img.example.com: HTTP 404, the picture is not there; " +
		"attmentInforspre[2]: there are 3 pictures, kingdee.photos.max_count is 2; " +
		"attmentInforsafter[0]: the host evil.example is not in kingdee.photos.hosts"
	if f := events.FailureOf(err); f == nil || f.Reason != want {
		t.Errorf("%v", err)
	}
}

func TestUploadFails(t *testing.T) {
	fail := func(k events.Kind, wait time.Duration) *events.Failure {
		return &events.Failure{Kind: k, API: "kingdee attachment_upload", Reason: "no", Wait: wait}
	}
	for _, tc := range []struct {
		fails   []error
		wait    events.Kind // where nothing may be left out
		without events.Kind
	}{
		{[]error{fail(events.Unavailable, 0), fail(events.Unavailable, 0)}, "", ""},
		{[]error{fail(events.Unavailable, 0), fail(events.Unavailable, 0), fail(events.Unavailable, 0)}, events.Unavailable, ""},
		{[]error{fail(events.Unavailable, time.Hour)}, events.Unavailable, ""},
		{[]error{fail(events.Throttled, time.Second)}, events.Throttled, events.Throttled},
		{[]error{fail(events.Denied, 0)}, events.Denied, ""},
		{[]error{fail(events.Rejected, 0)}, events.Rejected, ""},
		{[]error{fail(events.Invalid, 0)}, events.Invalid, ""},
		{[]error{fail(events.Interrupted, 0)}, events.Interrupted, events.Interrupted},
		{[]error{errors.New("what is this")}, events.Internal, ""},
	} {
		for _, without := range []bool{false, true} {
			s := newSetting(t, func(o *Options) { o.Without = without })
			s.files.fails = slices.Clone(tc.fails)
			want := tc.wait
			if without {
				want = tc.without
			}
			body, left, err := s.Ready(t.Context(), kingdee.Body{PhotosAfter: []kingdee.Photo{photo(good)}})
			if events.KindOf(err) != want || err == nil && len(body.PhotosAfter)+len(left) != 1 {
				t.Errorf("%v, without %v: %v %v", tc.fails, without, left, err)
			}
			if want != "" && !errors.As(err, new(*events.Failure)) {
				t.Errorf("%T", err)
			}
		}
	}
}

// TestTimeAndStop: a host that trickles costs the call no more than the time for
// pictures; a stop is no failure of the picture.
func TestTimeAndStop(t *testing.T) {
	trickle := func(s setting, began chan<- struct{}) {
		s.mux.HandleFunc("/img.example.com/slow", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, png)
			_ = http.NewResponseController(w).Flush()
			began <- struct{}{}
			<-r.Context().Done()
		})
	}
	body := kingdee.Body{PhotosPre: []kingdee.Photo{photo("https://img.example.com/slow"), photo(good)}}
	s := newSetting(t, func(o *Options) { o.Within = 50 * time.Millisecond })
	trickle(s, make(chan struct{}, 9))
	_, _, err := s.Ready(t.Context(), body)
	if f := events.FailureOf(err); f == nil || f.Kind != events.Unavailable || !strings.Contains(f.Reason, "attmentInforspre[0]: img.example.com: it did not come within kingdee.photos.timeout") {
		t.Errorf("%v", err)
	}
	for _, without := range []bool{false, true} {
		s := newSetting(t, func(o *Options) { o.Without = without })
		began := make(chan struct{}, 9)
		trickle(s, began)
		ctx, stop := context.WithCancel(t.Context())
		go func() { <-began; stop() }()
		if _, _, err := s.Ready(ctx, body); events.KindOf(err) != events.Interrupted {
			t.Errorf("stopped, without %v: %v", without, err)
		}
		late, end := context.WithTimeout(t.Context(), time.Millisecond) // the call's own deadline
		if _, _, err := s.Ready(late, body); events.KindOf(err) != events.Interrupted {
			t.Errorf("too late, without %v: %v", without, err)
		}
		end()
	}
}

// TestFewAbreast: however many orders there are, few pictures are in memory. One
// that other orders leave no place is not to blame, and is not left out; one behind
// slow pictures of its own order is as late as they are.
func TestFewAbreast(t *testing.T) {
	s := newSetting(t, func(o *Options) { o.MaxCount, o.Without = 9, true })
	asked := make(chan struct{}, 99)
	s.mux.HandleFunc("/img.example.com/slow", func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	slow := kingdee.Body{PhotosPre: slices.Repeat([]kingdee.Photo{photo("https://img.example.com/slow")}, 9)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, _, err := s.Ready(ctx, slow)
		ended <- err
	}()
	for range abreast {
		<-asked
	}
	s.o.Within = 100 * time.Millisecond
	_, left, err := s.Ready(t.Context(), kingdee.Body{PhotosAfter: []kingdee.Photo{photo(good)}})
	if f := events.FailureOf(err); f == nil || f.Kind != events.Throttled || f.Wait <= 0 || len(left) != 0 {
		t.Errorf("%v, left out %v", err, left)
	}
	if n := s.asked(); n != abreast {
		t.Errorf("%d at once", n)
	}
	stop()
	if err := <-ended; events.KindOf(err) != events.Interrupted {
		t.Error(err)
	}
	body, left, err := s.Ready(t.Context(), slow)
	if err != nil || len(body.PhotosPre) != 0 || len(left) != 9 || !strings.HasSuffix(left[8], "it did not come within kingdee.photos.timeout") {
		t.Errorf("%d pictures, %v, %v", len(body.PhotosPre), left, err)
	}
}

func TestFileNames(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"a.png", "image/png"}: "a.png", {"图.JPG", "image/jpeg"}: "图.JPG", {"a.jpeg", "image/jpeg"}: "a.jpeg",
		{"0", "image/jpeg"}: "0.jpg", {"a.png", "image/webp"}: "a.png.webp", {"", "image/gif"}: "picture.gif", {"a.php", "image/png"}: "a.php.png",
	} {
		if got := named(in[0], in[1]); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
}
