package sandbox

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"

	"gongdan-bridge/internal/testwing/fakekingdee"
)

// pictureOfTheWork is a photo that comes with a closing.
func pictureOfTheWork() []byte {
	p := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range p.Pix {
		p.SetGray(i%32, i/32, color.Gray{Y: uint8(i % 256)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// photoFaults says what is wrong with the pictures of an order's last record: how
// many there must be, and that they lie in Kingdee's file service unless they are
// passed on as they are.
func (w *world) photoFaults(o *order, r fakekingdee.DealRecord) (out []string) {
	if len(r.After) != o.photos {
		out = append(out, fmt.Sprintf("%s has %d pictures, not %d", o.name, len(r.After), o.photos))
	}
	for _, p := range r.After {
		there := slices.ContainsFunc(w.kingdee.Uploads(), func(u fakekingdee.Upload) bool { return u.URL == p.URL })
		if there == w.apart {
			out = append(out, fmt.Sprintf("%s: the picture %s is uploaded: %t", o.name, p.Name, there))
		}
	}
	return out
}
