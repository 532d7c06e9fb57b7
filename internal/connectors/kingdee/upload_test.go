package kingdee

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
	"gongdan-bridge/internal/testwing/connectortest"
)

const (
	uploadName = "attachment_upload"
	kept       = `{"success":true,"errorCode":"success","data":{"file":"https://tf.jdy.com/fileserver//jdyattachmentimage/1/a.png"}}`
)

func picture() File {
	return File{Name: "背景 \"图\".png", Type: "image/png", Data: []byte("\x89PNG\r\n\x1a\n--not a boundary--")}
}

// TestUploadRequest: the form, its part and the headers are those of the page.
func TestUploadRequest(t *testing.T) {
	for _, part := range []string{"file", "file1"} {
		g := newGateway(t)
		g.on(uploadName, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/prefix/jdy/basedata/attachment_upload" || r.URL.RawQuery != "access_token="+tokenSecret+"1" {
				t.Errorf("%s ?%s", r.URL.Path, r.URL.RawQuery)
			}
			kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "multipart/form-data" {
				t.Errorf("Content-Type %q, %v", kind, err)
			}
			form := multipart.NewReader(r.Body, params["boundary"])
			p, err := form.NextPart()
			if err != nil {
				t.Error(err)
				return
			}
			data, err := io.ReadAll(p)
			got := []string{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(data)}
			want := []string{part, picture().Name, picture().Type, string(picture().Data)}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if _, err := form.NextPart(); !errors.Is(err, io.EOF) {
				t.Errorf("more than one part: %v", err)
			}
			say(w, 200, kept)
		})
		c := g.client(func(o *Options) { o.UserID, o.UploadPart = "10102023", part })
		at, err := c.Upload(t.Context(), picture())
		if err != nil || at != "https://tf.jdy.com/fileserver//jdyattachmentimage/1/a.png" {
			t.Errorf("%q, %v", at, err)
		}
		h := g.headers[2]
		for name, value := range map[string]string{"groupName": "ns-1", "accountId": accountID, "X-GW-Router-Addr": "https://tf.jdy.com"} {
			if got := h.Get(name); got != value {
				t.Errorf("header %s = %q, want %q", name, got, value)
			}
		}
	}
}

// TestUploadIsRepeatedAsARead: a refused session is renewed once, what may have
// run is unavailable and not in doubt, and an answer without a file is none.
func TestUploadIsRepeatedAsARead(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		status int
		calls  int
		want   events.Kind
	}{
		"token refused":  {`{"errcode":4011}`, 519, 2, events.Denied},
		"may have run":   {`{"errcode":5004}`, 519, 1, events.Unavailable},
		"overloaded":     {`{"errcode":5007}`, 519, 1, events.Throttled},
		"says no":        {`{"success":false,"errorCode":"10201","message":"未找到上传文件"}`, 200, 1, events.Rejected},
		"no file":        {`{"success":true,"errorCode":"success","data":{}}`, 200, 1, events.Invalid},
		"data is a text": {`{"success":true,"errorCode":"success","data":"操作成功"}`, 200, 1, events.Invalid},
		"no address":     {`{"success":true,"errorCode":"success","data":{"file":"1.png"}}`, 200, 1, events.Invalid},
	} {
		g := newGateway(t)
		g.on(uploadName, always(tc.status, tc.answer))
		_, err := g.client(func(o *Options) { o.UserID = "10102023" }).Upload(t.Context(), picture())
		calls := strings.Count(strings.Join(g.took(), " "), uploadName)
		if got := events.KindOf(err); got != tc.want || calls != tc.calls {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
		connectortest.NoSecret(t, err, secrets()...)
	}
}

// TestUploadHasItsOwnBound: a file takes longer than the account lets a read take.
func TestUploadHasItsOwnBound(t *testing.T) {
	for within, want := range map[time.Duration]events.Kind{time.Minute: "", 20 * time.Millisecond: events.Unavailable} {
		g := newGateway(t)
		account := accounttest.New(t, connectors.AccountOptions{Vendor: "kingdee", ReadTimeout: 100 * time.Millisecond})
		t.Cleanup(account.Close)
		g.on(uploadName, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
			}
			say(w, 200, kept)
		})
		c := g.client(func(o *Options) {
			o.Account, o.UploadWithin = account, within
			o.Static = &Static{AccessToken: tokenSecret, GroupName: "ns-1", Domain: "tf.jdy.com"}
		})
		if _, err := c.Upload(t.Context(), picture()); events.KindOf(err) != want {
			t.Errorf("within %s: %v", within, err)
		}
	}
}
