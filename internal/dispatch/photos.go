package dispatch

import (
	"context"
	"strings"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Photos puts the addresses that the pictures of a body have at Kingdee in the
// place of their sources, right before every handle-order; left tells of those
// that the body goes without. Its error is an *events.Failure. Nothing that it has
// done matters until the call is made, and it may be asked again.
type Photos interface {
	Ready(ctx context.Context, body kingdee.Body) (_ kingdee.Body, left []string, err error)
}

// photos is what is sent of a recorded body, which itself stays what it is: an
// uploaded file may be gone when the call is made again. A failure means that the
// call must not be begun.
func (a *actor) photos(ctx context.Context, body kingdee.Body) (kingdee.Body, ledger.Called) {
	if a.o.t.Photos == nil || len(body.PhotosPre)+len(body.PhotosAfter) == 0 {
		return body, ledger.Called{}
	}
	ctx, cancel := a.o.tenure.CallContext(ctx)
	defer cancel()
	var left []string
	err := a.o.quiet(ctx)
	if err == nil {
		err = events.Safely(func(ctx context.Context) (err error) {
			body, left, err = a.o.t.Photos.Ready(ctx, body)
			return err
		})(ctx)
	}
	if f := a.o.apis.Uploads.Judge(ctx, a.key.Path(), err, a.o.d.o.ProbeDenied); f != nil {
		return body, ledger.Called{Failure: f, Before: true}
	}
	return body, ledger.Called{Without: strings.Join(left, "; ")}
}

// aboutPicture reports whether it was a picture that a call could not have.
func aboutPicture(f *events.Failure) bool {
	return f.API != "" && strings.HasPrefix(f.Field, "attmentInfors")
}
