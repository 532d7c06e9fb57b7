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
// the note of the last step there) and not with the event. It is an error where
// one of the members that hold them could not be read.
func (f *Facts) Before() ([]Picture, error) {
	if f.WorkOrder == nil {
		return nil, nil
	}
	if err := readable("", f.WorkOrder, "content"); err != nil {
		return nil, err
	}
	rows, err := f.rows("type", "content", "attached_json")
	if err != nil {
		return nil, err
	}
	var all []string
	later := of(f.Callback.Content, f.Callback.AttachedJSON)
	for i := range rows {
		r := &rows[i]
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
	return Pictures(all), nil
}

// After is the pictures that came with the event: those of the callback and of
// its row. Videos are left out. It is an error where a member of the row that holds
// them could not be read.
func (f *Facts) After() ([]Picture, error) {
	all := of(f.Callback.Content, f.Callback.AttachedJSON)
	if f.Flow != nil && f.Flow.Type != weiban.FlowCreated {
		if err := readable("flow.", f.Flow, "content", "attached_json"); err != nil {
			return nil, err
		}
		all = append(all, of(f.Flow.Content, f.Flow.AttachedJSON)...)
	}
	return Pictures(all), nil
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
