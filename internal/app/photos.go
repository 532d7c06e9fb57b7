package app

import (
	"time"

	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/photos"
)

// photos uploads a tenant's pictures; nil where they are passed on as they are.
func (b *base) photos(t config.Tenant, k *kingdee.Client) work.Photos {
	p := t.Kingdee.Photos
	if p.Mode != config.PhotosUpload {
		return nil
	}
	return photos.New(photos.Options{
		Upload: k.Upload, Hosts: p.Hosts, Types: p.Types, MaxBytes: int64(p.MaxBytes), MaxCount: p.MaxCount, Within: p.Timeout,
		Without: p.OnFailure == config.PhotosWithout, Tries: t.Retries.QuickTries, Wait: t.Retries.QuickFirst, Transport: b.pictures,
	})
}

// callBound is the deadline of one handle-order, from its intent on. Its pictures
// come first, and must not shorten the time of the call.
func (b *base) callBound(t config.Tenant) time.Duration {
	bound := b.cfg.Dispatcher.Calls.Timeout
	if t.Kingdee.Photos.Mode == config.PhotosUpload {
		bound += t.Kingdee.Photos.Timeout
	}
	return bound
}
