package work

import (
	"context"
	"encoding/json"
	"strings"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// maxNote is how many characters of clsmid, the marker included, are sent.
const maxNote = 500

// Call makes the one handle-order. It is repeated here only where a try surely did not
// run, and never begun after its deadline. The caller has waited for act.After.
func (w Order) Call(ctx context.Context, act ledger.Call) (out ledger.Called) {
	defer events.Guard(&out.Failure)
	var body kingdee.Body
	if err := json.Unmarshal(act.Body, &body); err != nil {
		out.Failure = &events.Failure{Kind: events.Invalid, Reason: "the recorded body cannot be read", Err: err}
		return out
	}
	if act.Marker != "" {
		body.Note = ledger.WithMarker(body.Note, act.Marker, maxNote)
	}
	ctx, cancel := context.WithDeadline(ctx, act.Deadline)
	defer cancel()
	if body, out = w.photos(ctx, body); out.Failure != nil {
		return out
	}
	w.Crash("call")
	out.Failure = w.try(ctx, w.APIs.Writes, func(ctx context.Context) error {
		_, err := w.Kingdee.HandleOrder(ctx, kingdee.HandleOrder{ID: act.Bill.ID, Body: body})
		return err
	})
	w.Crash("called")
	return out
}

// photos is the body as it is sent, with its pictures uploaded. The recorded body stays as it
// is: an uploaded file may be gone when the call is made again. After a failure the call must
// not be begun.
func (w Order) photos(ctx context.Context, body kingdee.Body) (kingdee.Body, ledger.Called) {
	if w.Photos == nil || len(body.PhotosPre)+len(body.PhotosAfter) == 0 {
		return body, ledger.Called{}
	}
	ctx, cancel, err := w.Owner.Begin(ctx)
	defer cancel()
	var left []string
	if err == nil {
		err = events.Safely(func(ctx context.Context) (err error) {
			body, left, err = w.Photos.Ready(ctx, body)
			return err
		})(ctx)
	}
	if f := w.APIs.Uploads.Judge(ctx, w.ID.Path(), err, w.ProbeDenied); f != nil {
		return body, ledger.Called{Failure: f, Before: true}
	}
	return body, ledger.Called{Without: strings.Join(left, "; ")}
}
