package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/photos"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

const png = "\x89PNG\r\n\x1a\n and more"

// withPhotos lets replicas that are started from now on upload pictures.
func (b *bridge) withPhotos(change func(*photos.Options)) {
	b.change = func(o *dispatch.Options) {
		t := &o.Tenants[0]
		p := photos.Options{
			Upload: t.Kingdee.Upload, Hosts: []string{fakeweiban.PictureHost}, Types: []string{"image/png"}, MaxBytes: 1000, MaxCount: 9,
			Within: time.Second, Tries: 2, Wait: time.Millisecond, Transport: b.weiban.Pictures(),
		}
		if change != nil {
			change(&p)
		}
		t.Photos = photos.New(p)
	}
}

// patient is a call's bound with time for its pictures.
func patient(s *ledger.Settings) { s.CallTimeout = 1400 * time.Millisecond }

func (b *bridge) endWith(number string, pictures ...string) string {
	b.t.Helper()
	return b.send(b.weiban.Close(number, fakeweiban.Act{Staff: "LiYang", Text: "修好", Pics: pictures}))
}

// story is everything that is told of an order, in one text.
func (b *bridge) story(number string) string {
	b.t.Helper()
	list, err := inspect.HistoryOf(b.t.Context(), b.bus, "acme", number, false)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := json.Marshal(list)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(out)
}

// noUploaded fails where an uploaded file's address is on record.
func (b *bridge) noUploaded(number string) {
	b.t.Helper()
	e, err := b.bus.Bucket("STATE").Get(b.t.Context(), "order.acme.work_order."+number)
	if err != nil {
		b.t.Fatal(err)
	}
	where := map[string]string{"record": string(e.Value)}
	for _, stream := range []string{"EVENTS", "DEAD"} {
		list, err := b.bus.Page(b.t.Context(), stream, ">", 1, 1000)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, s := range list {
			where[stream] += string(s.Data)
		}
	}
	for place, text := range where {
		if strings.Contains(text, "fileserver") {
			b.t.Errorf("an uploaded file's address is in the %s", place)
		}
	}
}

func TestPicturesAreUploadedBeforeTheCall(t *testing.T) {
	b := newBridge(t)
	b.withPhotos(nil)
	b.run("one", patient)
	number, bill := b.order()
	one, two := b.weiban.AddPicture("门.png", []byte(png)), b.weiban.AddPicture("0", []byte(png))
	b.ended(b.endWith(number, one, two), "applied")
	records, files := b.kingdee.Records(bill), b.kingdee.Uploads()
	if len(records) != 1 || len(files) != 2 || len(records[0].After) != 2 {
		t.Fatalf("records %+v, files %+v", records, files)
	}
	at := map[string]string{}
	for _, f := range files {
		at[f.Name] = f.URL
	}
	for i, name := range []string{"门.png", "0.png"} {
		if p := records[0].After[i]; p.URL != at[name] || p.Name != strings.TrimSuffix(name, ".png")+strings.Repeat(".png", 1-i) {
			t.Errorf("picture %d is %+v, not at %s", i, p, at[name])
		}
	}
	b.noUploaded(number)
}

// TestAResendUploadsAgain: what was uploaded for the first call is gone when it
// is made again.
func TestAResendUploadsAgain(t *testing.T) {
	b := newBridge(t)
	b.withPhotos(nil)
	b.run("one", patient)
	first, _ := b.order()
	b.ended(b.end(first, "先有一条"), "applied") // the positive control
	b.faultsK.Add(script.Fault{Kind: script.Cut, API: "handle-order"})
	number, bill := b.order()
	id := b.endWith(number, b.weiban.AddPicture("门.png", []byte(png)))
	b.until("the picture is there", func() bool { return len(b.kingdee.Uploads()) == 1 })
	b.kingdee.ForgetUploads()
	b.ended(id, "applied")
	records, files := b.kingdee.Records(bill), b.kingdee.Uploads()
	if len(records) != 1 || len(files) != 2 || records[0].After[0].URL != files[1].URL {
		t.Fatalf("records %+v, files %+v", records, files)
	}
	b.noUploaded(number)
}

// dying uploads and then never comes to its call.
type dying struct {
	work.Photos
	uploaded chan struct{}
}

func (d dying) Ready(ctx context.Context, body kingdee.Body) (kingdee.Body, []string, error) {
	if _, _, err := d.Photos.Ready(ctx, body); err != nil {
		return body, nil, err
	}
	close(d.uploaded)
	<-ctx.Done()
	return body, nil, ctx.Err()
}

// TestAnOwnerEndsBetweenUploadAndCall: the next one finds the intent, looks, and
// uploads again before it calls.
func TestAnOwnerEndsBetweenUploadAndCall(t *testing.T) {
	b := newBridge(t)
	b.withPhotos(nil)
	whole, uploaded := b.change, make(chan struct{})
	stop := b.run("control", patient)
	first, _ := b.order()
	b.ended(b.end(first, "先有一条"), "applied")
	stop()
	b.change = func(o *dispatch.Options) {
		whole(o)
		o.Ownership.SoftStop = time.Millisecond
		o.Tenants[0].Photos = dying{o.Tenants[0].Photos, uploaded}
	}
	stop = b.run("one", patient)
	number, bill := b.order()
	id := b.endWith(number, b.weiban.AddPicture("门.png", []byte(png)))
	<-uploaded
	stop()
	b.kingdee.ForgetUploads()
	if r := b.story(number); !strings.Contains(r, `"state":"intent"`) {
		t.Fatalf("the order is not left as a dead owner leaves it: %s", r)
	}
	b.change = whole
	b.run("two", patient)
	b.ended(id, "applied")
	if n, files := len(b.kingdee.Records(bill)), len(b.kingdee.Uploads()); n != 1 || files != 2 {
		t.Fatalf("%d records, %d files", n, files)
	}
}

// TestAPictureThatCannotBeHad: where it must be there the call is not made and a
// letter tells what is wrong; where it may be missing the call goes without it,
// and that is told.
func TestAPictureThatCannotBeHad(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	b.log = log
	b.withPhotos(nil)
	stop := b.run("one", patient)
	number, bill := b.order()
	gone := "https://" + fakeweiban.PictureHost + "/1/gone.png?sign=hunter2"
	id := b.endWith(number, b.weiban.AddPicture("门.png", []byte(png)), gone, b.weiban.AddPicture("page.png", []byte("<html>")))
	b.ended(id, "dead")
	l := b.letters()[0]
	const missing = "attmentInforsafter[1]: pictures.weiban.example: HTTP 404, the picture is not there"
	if l.Kind != events.Rejected || l.Field != "attmentInforsafter[1]" || !strings.HasPrefix(l.Reason, missing+"; attmentInforsafter[2]: ") || !strings.Contains(l.Advice, "kingdee.photos") {
		t.Errorf("letter %+v", l)
	}
	if n := len(b.kingdee.Arrivals(bill)); n != 0 {
		t.Errorf("%d calls", n)
	}
	stop()
	b.withPhotos(func(o *photos.Options) { o.Without, o.Within = true, time.Minute })
	b.run("two", func(s *ledger.Settings) { s.CallTimeout = 2 * time.Minute })
	if _, err := b.box.Replay(t.Context(), l.Number, actOf("wang")); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	if r := b.kingdee.Records(bill); len(r) != 1 || len(r[0].After) != 1 {
		t.Fatalf("records %+v", r)
	}
	told := b.story(number)
	for _, want := range []string{`"text":"applied: without ` + missing, `marker [wb:`, `, without ` + missing, `"without":"` + missing} {
		if !strings.Contains(told, want) {
			t.Errorf("the history does not say %s:\n%s", want, told)
		}
	}
	if text := told + fmt.Sprint(l.Reason, l.Advice); strings.Contains(text, "sign=") || log.has("sign=") || log.has("hunter2") {
		t.Error("a picture's address is told")
	}
	b.noUploaded(number)
}

// TestPicturesWaitWithoutHoldingOthers: while the file service refuses, orders
// without pictures go on, and nothing is lost.
func TestPicturesWaitWithoutHoldingOthers(t *testing.T) {
	b := newBridge(t)
	b.withPhotos(nil)
	b.run("one", patient)
	b.faultsK.Add(script.Fault{Kind: script.Code, Code: "4012", API: "attachment_upload", Times: 3})
	b.faultsW.Add(script.Fault{Kind: script.Status, Status: 503, API: fakeweiban.APIPicture, Times: 5})
	number, bill := b.order()
	id := b.endWith(number, b.weiban.AddPicture("门.png", []byte(png)))
	b.until("it waits", func() bool { return strings.Contains(b.story(number), `"on":"uploads"`) })
	other, _ := b.order()
	b.ended(b.end(other, "无图"), "applied")
	b.ended(id, "applied")
	if n, files := len(b.kingdee.Records(bill)), len(b.kingdee.Uploads()); n != 1 || files != 1 || len(b.letters()) != 0 {
		t.Fatalf("%d records, %d files, letters %+v", n, files, b.letters())
	}
}
