package fakekingdee

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// handling is the body_ of a handle-order that was found right.
type handling struct {
	words  map[string]string // every text member
	hours  float64
	others []string
	before []Picture
	after  []Picture
}

// check reads a handle-order as the vendor's page has it. problem is what the
// vendor would say, "" if all is well.
func (s *Server) check(fields map[string]any) (h handling, problem string) {
	if _, ok := fields["entity"].(string); !ok {
		return h, "entity必须为字符串"
	}
	if fields["flag"] != "handle-order" {
		return h, "flag不支持"
	}
	body, ok := fields["body_"].(map[string]any)
	if !ok {
		return h, "body_不能为空"
	}
	h.words = map[string]string{}
	if problem := h.readWords(body); problem != "" {
		return h, problem
	}
	if problem := h.readRest(body); problem != "" {
		return h, problem
	}
	for _, check := range []func(handling) string{s.checkValues, s.checkReferences, s.checkPictures} {
		if problem := check(h); problem != "" {
			return h, problem
		}
	}
	return h, ""
}

func (h handling) readWords(body map[string]any) string {
	for _, name := range []string{
		"orderNo", "handlesdate", "handleedate", "handlemanid", "handledeptid", "wxztid",
		"combofield", "processid", "wtyyid", "clfaid", "cljgid",
	} {
		word, ok := body[name].(string)
		if !ok && body[name] != nil {
			return name + "必须为字符串"
		}
		if word == "" {
			return name + "不能为空"
		}
		h.words[name] = word
	}
	for _, name := range []string{"clsmid", "lat", "lgt", "handleAddress"} {
		word, ok := body[name].(string)
		if !ok && body[name] != nil {
			return name + "必须为字符串"
		}
		h.words[name] = word
	}
	return ""
}

func (h *handling) readRest(body map[string]any) string {
	if v, given := body["diff"]; given {
		n, ok := v.(json.Number)
		if !ok {
			return "diff必须为数字"
		}
		hours, err := n.Float64()
		if err != nil {
			return "diff必须为数字"
		}
		h.hours = hours
	}
	if v, given := body["labs"]; given {
		rows, ok := v.([]any)
		for _, row := range rows {
			member, _ := row.(map[string]any)
			id, isText := member["id"].(string)
			ok = ok && isText && id != ""
			h.others = append(h.others, id)
		}
		if !ok {
			return "labs必须为id的数组"
		}
	}
	var ok1, ok2 bool
	h.before, ok1 = pictures(body["attmentInforspre"])
	h.after, ok2 = pictures(body["attmentInforsafter"])
	if !ok1 || !ok2 {
		return "照片必须为url和name的数组"
	}
	return ""
}

func pictures(v any) ([]Picture, bool) {
	if v == nil {
		return nil, true
	}
	rows, ok := v.([]any)
	var out []Picture
	for _, row := range rows {
		member, _ := row.(map[string]any)
		p := Picture{URL: text(member["url"]), Name: text(member["name"])}
		ok = ok && p.URL != "" && p.Name != ""
		out = append(out, p)
	}
	return out, ok
}

// layout is yyyy-MM-dd HH:mm:ss.
const layout = "2006-01-02 15:04:05"

func (s *Server) checkValues(h handling) string {
	start, err1 := time.Parse(layout, h.words["handlesdate"])
	end, err2 := time.Parse(layout, h.words["handleedate"])
	switch {
	case err1 != nil:
		return "handlesdate日期格式错误"
	case err2 != nil:
		return "handleedate日期格式错误"
	case end.Before(start):
		return "处理结束日期不能早于处理开始日期"
	}
	switch h.words["wxztid"] {
	case StatusHandling, StatusDone, StatusCannotHandle:
	default:
		return "wxztid维修状态不存在"
	}
	if h.words["combofield"] != h.words["wxztid"] {
		return "combofield与wxztid不一致"
	}
	progress, err := strconv.ParseFloat(h.words["processid"], 64)
	switch {
	case err != nil || strings.Trim(h.words["processid"], "-.0123456789") != "":
		return "processid必须为数字"
	case progress < 0:
		return "完成进度不能小于0"
	case h.hours < 0:
		return "工时不能小于0"
	}
	return ""
}

// checkReferences refuses ids that the base data does not have.
func (s *Server) checkReferences(h handling) string {
	if s.o.AnyReference {
		return ""
	}
	for _, ref := range []struct {
		name, id string
		in       []Item
	}{
		{"处理人", h.words["handlemanid"], s.base.Employees},
		{"部门", h.words["handledeptid"], s.base.Departments},
		{"问题原因", h.words["wtyyid"], s.base.Reasons},
		{"处理方案", h.words["clfaid"], s.base.Schemes},
		{"处理结果", h.words["cljgid"], s.base.Results},
	} {
		if _, ok := find(ref.in, ref.id); !ok {
			return fmt.Sprintf("%s不存在:%s", ref.name, ref.id)
		}
	}
	for _, id := range h.others {
		if _, ok := find(s.base.Employees, id); !ok {
			return "其他处理人不存在:" + id
		}
	}
	return ""
}

// checkPictures wants photos to lie where Kingdee keeps files, and those of the
// file service to be there still.
func (s *Server) checkPictures(h handling) string {
	if s.o.ForeignPictures {
		return ""
	}
	home, _ := url.Parse(s.account.Domain)
	for _, p := range append(append([]Picture(nil), h.before...), h.after...) {
		if u, err := url.Parse(p.URL); err != nil || u.Scheme != home.Scheme || u.Host != home.Host {
			return "照片地址无效:" + p.Name
		} else if strings.HasPrefix(u.Path, "/fileserver/") && !s.kept[p.URL] {
			return "照片已失效:" + p.Name
		}
	}
	return ""
}
