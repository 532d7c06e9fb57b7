package bus

import (
	"context"
	"strings"
)

// Fill is the usage of one stream or bucket of the bridge.
type Fill struct {
	Name   string // CALLBACKS, STATE …
	Bucket bool
	Usage
	Err error // why the usage is unknown; [ErrUnprovisioned]: it does not exist
}

// Kind is "stream" or "bucket".
func (f Fill) Kind() string {
	if f.Bucket {
		return "bucket"
	}
	return "stream"
}

// Setting is the path of its size limit in bridge.yaml.
func (f Fill) Setting() string {
	if f.Bucket {
		return "nats.buckets." + strings.ToLower(f.Name)
	}
	return "nats.streams." + strings.ToLower(f.Name) + ".max_bytes"
}

// Fills reads the usage of every stream and bucket of the bridge, in the order of
// [Streams], then [Buckets]. It creates none that is missing.
func (b *Bus) Fills(ctx context.Context) []Fill {
	var out []Fill
	for _, s := range Streams() {
		u, err := b.Usage(ctx, s.Name)
		out = append(out, Fill{Name: s.Name, Usage: u, Err: err})
	}
	for _, p := range Buckets() {
		u, err := b.Usage(ctx, bucketStream(p.Name))
		out = append(out, Fill{Name: p.Name, Bucket: true, Usage: u, Err: err})
	}
	return out
}

// Share is the used part of the size limit, 0 without a limit.
func (u Usage) Share() float64 {
	if u.MaxBytes <= 0 {
		return 0
	}
	return float64(u.Bytes) / float64(u.MaxBytes)
}
