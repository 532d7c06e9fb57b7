package photos

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// maxHops is how many redirects are followed.
const maxHops = 3

// apiFetch names the fetching of a picture in failures.
const apiFetch = "picture"

// fetcher reads pictures from the hosts that it may ask.
type fetcher struct {
	rt       http.RoundTripper
	hosts    []string
	types    []string
	maxBytes int64
}

// picture is what was fetched.
type picture struct {
	kind string // media type, by its content
	data []byte
}

// refused is what no repeating mends: the picture or its address is at fault.
func refused(reason string) *events.Failure {
	return &events.Failure{Kind: events.Rejected, API: apiFetch, Reason: reason}
}

// away is what may be otherwise in a while.
func away(reason string) *events.Failure {
	return &events.Failure{Kind: events.Unavailable, API: apiFetch, Reason: reason}
}

// get fetches one picture. Its error is an *events.Failure that quotes nothing of
// the address but the host: Rejected, Unavailable, or Interrupted with ctx.
func (f *fetcher) get(ctx context.Context, address string) (picture, error) {
	u, err := url.Parse(address)
	if err != nil {
		return picture{}, refused("its source is no web address")
	}
	for hop := 0; ; hop++ {
		if u, err = f.secure(u); err != nil {
			return picture{}, err
		}
		pic, next, err := f.ask(ctx, u)
		switch {
		case err != nil:
			return picture{}, err
		case next == nil:
			return pic, nil
		case hop == maxHops:
			return picture{}, refused(u.Host + ": it leads from one address to the next")
		}
		u = next
	}
}

// ask makes one request; next is where it leads on to.
func (f *fetcher) ask(ctx context.Context, u *url.URL) (pic picture, next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return pic, nil, refused("its source is no web address")
	}
	req.Header.Set("Accept", "image/*")
	req.Header.Set("User-Agent", "gongdan-bridge")
	resp, err := f.rt.RoundTrip(req)
	if err != nil {
		return pic, nil, broken(ctx, u.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusOK:
		pic, err = f.read(ctx, u.Host, resp)
		return pic, nil, err
	case resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "":
		next, err = u.Parse(resp.Header.Get("Location"))
		if err != nil {
			return pic, nil, refused(u.Host + ": it leads to what is no web address")
		}
		return pic, next, nil
	default:
		return pic, nil, byStatus(u.Host, resp)
	}
}

// read takes the picture in, never more of it than is allowed.
func (f *fetcher) read(ctx context.Context, host string, resp *http.Response) (picture, error) {
	tooLarge := refused(host + ": it is larger than kingdee.photos.max_bytes (" + strconv.FormatInt(f.maxBytes, 10) + " bytes)")
	if resp.ContentLength > f.maxBytes {
		return picture{}, tooLarge
	}
	data, err := connectors.ReadAll(resp.Body, f.maxBytes)
	switch {
	case errors.Is(err, connectors.ErrTooLarge):
		return picture{}, tooLarge
	case err != nil:
		return picture{}, broken(ctx, host, err)
	}
	kind := http.DetectContentType(data)
	if !slices.Contains(f.types, kind) {
		return picture{}, refused(host + ": what it holds is no picture of kingdee.photos.types (it looks like " + kind + ")")
	}
	return picture{kind: kind, data: data}, nil
}

// byStatus judges an answer that is no picture.
func byStatus(host string, resp *http.Response) *events.Failure {
	says := host + ": HTTP " + strconv.Itoa(resp.StatusCode)
	f := refused(says)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		f.Reason = says + ", the picture is not there"
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		f.Reason = says + ", the address may have expired"
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests || code >= 500:
		f = away(says)
		f.Wait = connectors.RetryAfter(resp.Header)
	}
	f.Status = resp.StatusCode
	return f
}

// broken is a request that got no whole answer.
func broken(ctx context.Context, host string, err error) *events.Failure {
	switch {
	case errors.Is(err, errNotPublic):
		return refused(host + ": its address is not a public one")
	case errors.Is(ctx.Err(), context.Canceled):
		return &events.Failure{Kind: events.Interrupted, API: apiFetch, Reason: "stopped before the picture was there"}
	case ctx.Err() != nil:
		return away(host + ": it did not come within kingdee.photos.timeout")
	}
	return away(host + ": " + connectors.Phrase(err))
}
