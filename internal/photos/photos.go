package photos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
)

// abreast is how many pictures of a tenant are in memory at once.
const abreast = 3

// errCrowd says of a picture that it was not asked for, since other pictures took
// the places and the time; crowdWait is how long they are waited for then.
var errCrowd = errors.New("no place for it")

const crowdWait = 5 * time.Second

// Options are a tenant's settings. All but Wait and Transport must be given.
type Options struct {
	Upload   func(context.Context, kingdee.File) (string, error) // to Kingdee's file service
	Hosts    []string                                            // that may be asked: exact, or "*.example.com" for all below
	Types    []string                                            // media types, by content
	MaxBytes int64                                               // of one picture
	MaxCount int                                                 // pictures in one field
	Within   time.Duration                                       // for all pictures of one call together
	Without  bool                                                // a call goes without a picture that cannot be had
	Tries    int                                                 // of each fetch and upload, the first included
	Wait     time.Duration                                       // between two tries, doubled each time; default 500 ms

	// Transport stands in for the guarded way out; nil in every program. A
	// simulated host is reached by it, under the same rules but for the network's.
	Transport http.RoundTripper
}

// Uploader makes the pictures of a tenant's calls ready. Safe for concurrent use.
type Uploader struct {
	o     Options
	fetch *fetcher
	slots chan struct{}
}

// New makes an Uploader; it calls nobody.
func New(o Options) *Uploader {
	if o.Wait <= 0 {
		o.Wait = 500 * time.Millisecond
	}
	rt := o.Transport
	if rt == nil {
		rt = guarded(net.DefaultResolver, public)
	}
	return &Uploader{
		o: o, slots: make(chan struct{}, abreast),
		fetch: &fetcher{rt: rt, hosts: o.Hosts, types: o.Types, maxBytes: o.MaxBytes},
	}
}

// task is one picture on its way.
type task struct {
	field string // as handle-order calls it, with its place: attmentInforspre[0]
	photo kingdee.Photo
	err   *events.Failure
}

// Ready uploads the pictures of body and returns body with the addresses that they
// have at Kingdee. left tells of each picture that the body had to do without. It
// leaves the call as a whole undone with an *events.Failure: of pictures that
// cannot be had unless they may be left out, and always where Kingdee asks to be
// called less often, or ctx ends. Nothing has run then that matters: it may be
// called again, and uploads all pictures again.
func (u *Uploader) Ready(ctx context.Context, body kingdee.Body) (_ kingdee.Body, left []string, err error) {
	before, after := u.tasks("attmentInforspre", body.PhotosPre), u.tasks("attmentInforsafter", body.PhotosAfter)
	all := slices.Concat(before, after)
	if len(all) == 0 {
		return body, nil, nil
	}
	u.run(ctx, all)
	crowded(all)
	if f := u.verdict(ctx, all); f != nil {
		return body, nil, f
	}
	for _, t := range all {
		if t.err != nil {
			left = append(left, t.field+": "+t.err.Reason)
		}
	}
	body.PhotosPre, body.PhotosAfter = done(before), done(after)
	return body, left, nil
}

// tasks lists a field's pictures; those beyond the limit have failed already.
func (u *Uploader) tasks(field string, photos []kingdee.Photo) []*task {
	out := make([]*task, len(photos))
	for i, p := range photos {
		out[i] = &task{field: fmt.Sprintf("%s[%d]", field, i), photo: p}
		if i >= u.o.MaxCount {
			out[i].err = refused(fmt.Sprintf("there are %d pictures, kingdee.photos.max_count is %d", len(photos), u.o.MaxCount))
		}
	}
	return out
}

func done(tasks []*task) []kingdee.Photo {
	out := []kingdee.Photo{}
	for _, t := range tasks {
		if t.err == nil {
			out = append(out, t.photo)
		}
	}
	return out
}

// run carries out what has not failed yet, a few at a time.
func (u *Uploader) run(ctx context.Context, tasks []*task) {
	ctx, cancel := context.WithTimeout(ctx, u.o.Within)
	defer cancel()
	var wg sync.WaitGroup
	for _, t := range tasks {
		if t.err == nil {
			wg.Go(func() { t.err = u.bring(ctx, &t.photo) })
		}
	}
	wg.Wait()
}

// crowded tells pictures for which other calls left no time, and which are tried
// again, from those that came behind slow ones of their own call.
func crowded(tasks []*task) {
	slow := slices.ContainsFunc(tasks, func(t *task) bool { return t.err != nil && !errors.Is(t.err, errCrowd) })
	for _, t := range tasks {
		if slow && t.err != nil && errors.Is(t.err, errCrowd) {
			t.err = away("it did not come within kingdee.photos.timeout")
		}
	}
}

// bring fetches a picture, uploads it, and puts its new address in the old one's place.
func (u *Uploader) bring(ctx context.Context, p *kingdee.Photo) (f *events.Failure) {
	defer func() {
		if recover() != nil {
			f = &events.Failure{Kind: events.Internal, API: apiFetch, Reason: "a fault of the bridge"}
		}
	}()
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return &events.Failure{Kind: events.Throttled, API: apiFetch, Wait: crowdWait, Reason: "too many pictures are on their way", Err: errCrowd}
	}
	var pic picture
	if f = u.try(ctx, func() (err error) { pic, err = u.fetch.get(ctx, p.URL); return err }); f != nil {
		return f
	}
	file := kingdee.File{Name: named(p.Name, pic.kind), Type: pic.kind, Data: pic.data}
	return u.try(ctx, func() error {
		at, err := u.o.Upload(ctx, file)
		if err == nil {
			p.URL = at
		}
		return err
	})
}

// try repeats what may do better the next time.
func (u *Uploader) try(ctx context.Context, op func() error) *events.Failure {
	wait := u.o.Wait
	for n := 1; ; n++ {
		f := events.FailureOf(op())
		if f == nil || f.Kind != events.Unavailable || n >= u.o.Tries || f.Wait > wait {
			return f
		}
		if !sleep.For(ctx, wait) {
			return f
		}
		wait *= 2
	}
}

// verdict is why the call cannot be made now; nil where it can, if without some
// pictures. A letter tells of all of them that are at fault for the same reason.
func (u *Uploader) verdict(ctx context.Context, tasks []*task) *events.Failure {
	if ctx.Err() != nil {
		return &events.Failure{Kind: events.Interrupted, API: apiFetch, Reason: "stopped before the pictures were there"}
	}
	for _, k := range []events.Kind{
		events.Interrupted, events.Throttled, events.Denied, events.Rejected, events.Invalid, events.Internal,
	} {
		waits := k == events.Interrupted || k == events.Throttled
		if f := first(tasks, func(f *events.Failure) bool { return f.Kind == k }); f != nil && (waits || !u.o.Without) {
			return f
		}
	}
	if u.o.Without {
		return nil
	}
	return first(tasks, func(*events.Failure) bool { return true })
}

// first is the failure of the first task whose failure fits, with the words of the
// others that fit too.
func first(tasks []*task, fits func(*events.Failure) bool) *events.Failure {
	var out *events.Failure
	for _, t := range tasks {
		if t.err == nil || !fits(t.err) {
			continue
		}
		says := t.field + ": " + t.err.Reason
		if out == nil {
			c := *t.err
			c.Field, c.Reason = t.field, says
			out = &c
			continue
		}
		out.Reason += "; " + says
		out.Wait = max(out.Wait, t.err.Wait)
	}
	return out
}

// named is a file's name with an ending that goes with what it holds.
func named(name, kind string) string {
	if name == "" {
		name = "picture"
	}
	endings := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp"}
	has := strings.ToLower(path.Ext(name))
	if has == endings[kind] || has == ".jpeg" && kind == "image/jpeg" {
		return name
	}
	return name + endings[kind]
}
