package facts

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/connectors/weiban"
)

// Picture is a picture as handle-order takes one.
type Picture struct {
	URL  string `json:"url"`
	Name string `json:"name"`
}

// Pictures names the pictures at these addresses by the last part of their
// path. What stands twice is taken once, what is no web address is left out.
func Pictures(addresses []string) []Picture {
	var out []Picture
	seen := map[string]bool{}
	for _, a := range addresses {
		a = strings.TrimSpace(a)
		u, err := url.Parse(a)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || seen[a] {
			continue
		}
		seen[a] = true
		name := path.Base(u.Path)
		if name == "." || name == "/" {
			name = "picture-" + strconv.Itoa(len(out)+1)
		}
		out = append(out, Picture{URL: a, Name: name})
	}
	return out
}

// Before is the pictures from before the work: those of the row that created the
// order, and those of the order itself that came with no later row (Weiban keeps
// the note of the last step there) and not with the event.
func (f *Facts) Before() []Picture {
	if f.WorkOrder == nil {
		return nil
	}
	var all []string
	later := of(f.Callback.Content, f.Callback.AttachedJSON)
	for i := range f.WorkOrder.ProcessingFlows {
		r := &f.WorkOrder.ProcessingFlows[i]
		if r.Type == weiban.FlowCreated {
			all = append(all, of(r.Content, r.AttachedJSON)...)
		} else {
			later = append(later, of(r.Content, r.AttachedJSON)...)
		}
	}
	for _, p := range f.WorkOrder.Content.Pic {
		if f.Callback.Status == weiban.StatusCreate || !slices.Contains(later, p) {
			all = append(all, p)
		}
	}
	return Pictures(all)
}

// After is the pictures that came with the event: those of the callback and of
// its row. Videos are left out.
func (f *Facts) After() []Picture {
	all := of(f.Callback.Content, f.Callback.AttachedJSON)
	if f.Flow != nil && f.Flow.Type != weiban.FlowCreated {
		all = append(all, of(f.Flow.Content, f.Flow.AttachedJSON)...)
	}
	return Pictures(all)
}

func of(c weiban.Content, attached weiban.Attachments) []string {
	out := append([]string(nil), c.Pic...)
	for _, a := range attached {
		if a.Type == "image" {
			out = append(out, string(a.URL))
		}
	}
	return out
}
