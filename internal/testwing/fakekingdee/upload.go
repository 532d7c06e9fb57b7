package fakekingdee

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"gongdan-bridge/internal/testwing/script"
)

// Upload is one file that was uploaded.
type Upload struct {
	Name string
	Size int
	URL  string // what the answer gave, under the account's domain
}

// Uploads returns every file uploaded so far.
func (s *Server) Uploads() []Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.uploads)
}

// ForgetUploads makes every uploaded file unknown, as time may do: no page says how
// long one is kept.
func (s *Server) ForgetUploads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kept)
}

// upload is 附件上传: multipart, with the file in a part called file, file1 and
// so on. One file is taken.
func (s *Server) upload(in request) script.Answer {
	name, content, ok := filePart(in)
	if !ok {
		return refusal(codeBusiness, "未找到上传文件")
	}
	at := fmt.Sprintf("%s/fileserver//jdyattachmentimage/%s/%s", s.account.Domain, s.nextID(), url.PathEscape(name))
	s.kept[at] = true
	s.uploads = append(s.uploads, Upload{Name: name, Size: len(content), URL: at})
	return success(map[string]any{"file": at})
}

func filePart(in request) (name string, content []byte, ok bool) {
	kind, params, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return "", nil, false
	}
	parts := multipart.NewReader(bytes.NewReader(in.Body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return "", nil, false
		}
		if !strings.HasPrefix(part.FormName(), "file") || part.FileName() == "" {
			continue
		}
		content, err := io.ReadAll(part)
		return part.FileName(), content, err == nil && len(content) > 0
	}
}
