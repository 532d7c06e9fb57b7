package kingdee

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"mime/multipart"
	"net/textproto"
	"net/url"

	"gongdan-bridge/internal/events"
)

const pathUpload = "/jdy/basedata/attachment_upload"

// File is a file for Kingdee's file service.
type File struct {
	Name string // as Kingdee is to show it
	Type string // media type, such as image/png
	Data []byte
}

// Upload sends a file to Kingdee's file service (附件上传) and returns the address
// that it has there. Nothing refers to the file until a handle-order does, so the
// call is judged and repeated as a read is. How long the address holds is not
// documented: it belongs into the next call, and into no record. An answer without
// an address is Invalid with [ErrNotUnderstood].
func (c *Client) Upload(ctx context.Context, f File) (string, error) {
	body, form, err := encodeForm(c.o.UploadPart, f)
	if err != nil {
		return "", &events.Failure{Kind: events.Invalid, API: vendor + " " + APIUpload, Reason: "the file cannot be written as a form", Err: err}
	}
	e, err := c.call(ctx, request{api: APIUpload, path: pathUpload, body: body, about: fmt.Sprintf("%s %x", f.Name, crc32.ChecksumIEEE(f.Data)), form: form, within: c.o.UploadWithin})
	if err != nil {
		return "", err
	}
	data, ok := e.all["data"].(map[string]any)
	if !ok {
		return "", notUnderstood(APIUpload, "it names no file")
	}
	at, _ := text(data["file"])
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", notUnderstood(APIUpload, "its file is no web address")
	}
	return at, nil
}

// encodeForm is the file as the one part of a form, and the form's Content-Type.
func encodeForm(part string, f File) ([]byte, string, error) {
	var b bytes.Buffer
	b.Grow(len(f.Data) + 1024)
	w := multipart.NewWriter(&b)
	p, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(part, f.Name)}, "Content-Type": {f.Type},
	})
	if err != nil {
		return nil, "", err
	}
	if _, err := p.Write(f.Data); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}
