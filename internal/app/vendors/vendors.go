// Package vendors builds a tenant's clients of Weiban and Kingdee as the
// configuration describes them. Package app calls it.
//
// It makes no call: tokens are fetched when the first call needs them.
package vendors

import (
	"context"
	"net/http"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/photos"
	"gongdan-bridge/internal/telemetry"
)

// Builder holds what the clients of all tenants share.
type Builder struct {
	cfg      *config.Config
	tel      *telemetry.Telemetry
	vault    connectors.Vault
	drift    *drift.Counter
	pictures http.RoundTripper
}

// NewBuilder prepares the clients of cfg's tenants. pictures, where it is not nil,
// is asked for pictures in place of the network.
func NewBuilder(cfg *config.Config, tel *telemetry.Telemetry, conn *bus.Bus, pictures http.RoundTripper) (*Builder, error) {
	vault, err := vaultOf(cfg, conn)
	if err != nil {
		return nil, err
	}
	drifts, err := drift.NewCounter(tel.MeterProvider)
	return &Builder{cfg, tel, vault, drifts, pictures}, err
}

// Clients are one tenant's. Close ends their idle connections.
type Clients struct {
	Weiban         *weiban.Client
	WeibanAccount  *connectors.Account
	Kingdee        *kingdee.Client
	KingdeeAccount *connectors.Account
	Photos         *photos.Uploader // nil where pictures are passed on as they are
}

// Build makes the clients of t. before is asked right before each call, see
// [connectors.AccountOptions].
func (b *Builder) Build(t config.Tenant, before func(context.Context) error) (*Clients, error) {
	c := &Clients{}
	var err error
	if c.WeibanAccount, err = b.account("weiban", t, before, t.Weiban.InFlight, connectors.Rate{PerMinute: t.Weiban.PerMinute}); err != nil {
		return nil, err
	}
	if c.KingdeeAccount, err = b.account("kingdee", t, before, t.Kingdee.InFlight, connectors.Rate{Pool: kingdee.Pool, PerMinute: t.Kingdee.PerMinute}); err != nil {
		return nil, err
	}
	c.Weiban = weiban.New(weiban.Options{
		BaseURL: t.Weiban.BaseURL, CorpID: t.Weiban.CorpID, Secret: t.Weiban.Secret.Reveal(), Vault: b.vault, Account: c.WeibanAccount,
		Drift: b.drift, Known: b.known("weiban", t),
	})
	c.Kingdee = b.kingdee(t, c.KingdeeAccount)
	c.Photos = b.photos(t, c.Kingdee)
	return c, nil
}

// Close ends the idle connections; it may be called twice.
func (c *Clients) Close() { c.WeibanAccount.Close(); c.KingdeeAccount.Close() }

func (b *Builder) account(vendor string, t config.Tenant, before func(context.Context) error, inFlight int, rate connectors.Rate) (*connectors.Account, error) {
	c := b.cfg.Dispatcher
	return connectors.NewAccount(connectors.AccountOptions{
		Vendor: vendor, Tenant: t.Name, InFlight: inFlight, Rate: func(string) connectors.Rate { return rate },
		Timeout: c.Calls.Timeout, ReadTimeout: c.Calls.ReadTimeout, MaxBody: int64(c.Calls.MaxAnswer), MaxWait: c.Calls.MaxWait,
		Breaker: connectors.BreakerSettings{Failures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor}, Before: before,
		Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	})
}

// known teaches the redactor what a vendor gives out.
func (b *Builder) known(vendor string, t config.Tenant) func(name, secret string) {
	return func(name, secret string) { b.tel.Redactor.Rotate(vendor+" "+t.Name+" "+name, secret) }
}

func (b *Builder) kingdee(t config.Tenant, l *connectors.Account) *kingdee.Client {
	k := t.Kingdee
	o := kingdee.Options{
		BaseURL: k.BaseURL, AccountID: k.AccountID, UserID: k.UserID, Vault: b.vault, Paged: k.SendPaging,
		UploadPart: k.Photos.Part, UploadWithin: b.cfg.Dispatcher.Calls.Timeout, Drift: b.drift, Known: b.known("kingdee", t),
		AuthorityKey: k.AuthorityKey, AuthorityIV: k.AuthorityIV, Account: l,
	}
	if k.Static != nil {
		o.Static = &kingdee.Static{AccessToken: k.Static.AccessToken.Reveal(), GroupName: k.Static.GroupName, Domain: k.Static.Domain}
	}
	if k.App != nil {
		o.ClientID, o.ClientSecret, o.OuterInstanceID = k.App.ClientID, k.App.ClientSecret.Reveal(), k.App.OuterInstanceID
	}
	return kingdee.New(o)
}

func (b *Builder) photos(t config.Tenant, k *kingdee.Client) *photos.Uploader {
	p := t.Kingdee.Photos
	if p.Mode != config.PhotosUpload {
		return nil
	}
	return photos.New(photos.Options{
		Upload: k.Upload, Hosts: p.Hosts, Types: p.Types, MaxBytes: int64(p.MaxBytes), MaxCount: p.MaxCount, Within: p.Timeout,
		Without: p.OnFailure == config.PhotosWithout, Tries: t.Retries.QuickTries, Wait: t.Retries.QuickFirst, Transport: b.pictures,
	})
}

// CallBound is the deadline of one handle-order of t, from its intent on. Its
// pictures come first, and must not shorten the time of the call.
func (b *Builder) CallBound(t config.Tenant) time.Duration {
	bound := b.cfg.Dispatcher.Calls.Timeout
	if t.Kingdee.Photos.Mode == config.PhotosUpload {
		bound += t.Kingdee.Photos.Timeout
	}
	return bound
}

// CallbackCodec verifies and decrypts the callbacks of t.
func CallbackCodec(t config.Tenant) (*weiban.Codec, error) {
	keys := make([]weiban.Key, len(t.Weiban.Callbacks))
	for i, k := range t.Weiban.Callbacks {
		keys[i] = weiban.Key{Token: k.Token.Reveal(), EncodingAESKey: k.EncodingAESKey.Reveal()}
	}
	codec, err := weiban.NewCodec(keys, t.Weiban.Receivers)
	if err == nil && t.Weiban.EmptyReceiver {
		codec = codec.WithEmptyReceiver()
	}
	return codec, err
}
