package fakeweiban

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Callback are the settings of the message subscription (消息订阅).
type Callback struct {
	URL            string // where callbacks go; can be set later
	Token          string // default: the published sample's
	EncodingAESKey string // 43 characters; default: the published sample's
	Receiver       string // receiveid; default: the corp id
	AppID          string // of the outer envelope; default "app-sandbox"

	Tries     int           // in all, as with WeCom; default 3
	Timeout   time.Duration // of one try; default 5 s
	RetryWait time.Duration // before each further try; default 1 s
	Senders   int           // callbacks under way at once from [Server.Post]; default 8; 1 keeps their order

	Bare        bool   // leave retry_count and seq out, as in the examples of Weiban's pages
	Escaped     bool   // write Chinese as \uXXXX
	CloseStatus string // what a close calls itself; default "close"; the page's example says "switch"

	Client *http.Client // default: one of its own, without redirects
}

func (c Callback) filled(corpID string) Callback {
	or := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	or(&c.Token, "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo")
	or(&c.EncodingAESKey, "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt")
	or(&c.Receiver, corpID)
	or(&c.AppID, "app-sandbox")
	if c.Tries == 0 {
		c.Tries = 3
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.RetryWait == 0 {
		c.RetryWait = time.Second
	}
	if c.Senders == 0 {
		c.Senders = 8
	}
	if c.Client == nil {
		c.Client = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: c.Senders},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return c
}

// courier is the sending half of a server.
type courier struct {
	envelope Envelope

	mu     sync.Mutex
	url    string
	ledger map[string]*Delivery
	sent   []string // ids in the order of their first sending
	queue  []queued
	active int           // senders at work
	idle   chan struct{} // closed when the queue is empty and no sender at work; nil if no Drain waits
}

type queued struct {
	ctx    context.Context
	notice Notice
}

func newCourier(c Callback) (*courier, error) {
	e, err := NewEnvelope(c.Token, c.EncodingAESKey, c.Receiver)
	if err != nil {
		return nil, err
	}
	return &courier{envelope: e, url: c.URL, ledger: map[string]*Delivery{}}, nil
}

// SetCallbackURL changes where callbacks go.
func (s *Server) SetCallbackURL(u string) {
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	s.courier.url = u
}

// CallbackURL is where callbacks go.
func (s *Server) CallbackURL() string {
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	return s.courier.url
}

// Send posts a callback until it is answered 200 or its tries are used up, each
// try with the same id, the next retry_count and a fresh signature, and returns
// all that has become of the id. Sending a notice again is a duplicate. The
// error says that no try of this call was answered 200.
func (s *Server) Send(ctx context.Context, n Notice) (Delivery, error) {
	var last Attempt
	for retry := range s.o.Callback.Tries {
		if retry > 0 && !sleep.For(ctx, s.o.Callback.RetryWait) {
			break
		}
		last = s.attempt(ctx, n, retry)
		if last.Status == http.StatusOK {
			break
		}
	}
	d, _ := s.Delivery(n.ID)
	if last.Status != http.StatusOK {
		return d, fmt.Errorf("send callback %s %s of %s: last answer %d %s", n.Status, n.ID, n.Key, last.Status, last.Fault)
	}
	return d, nil
}

func (s *Server) attempt(ctx context.Context, n Notice, retry int) Attempt {
	began := time.Now()
	a := Attempt{At: s.o.Clock(), RetryCount: retry}
	status, _, err := s.SendPlaintext(ctx, n.Plaintext(retry))
	a.Status = status
	if err != nil {
		a.Fault = err.Error()
	}
	s.courier.note(n, a)
	s.o.Observe.See(script.Event{
		At: a.At, Vendor: "weiban", What: "callback", API: n.Status, Key: n.Key,
		Outcome: strconv.Itoa(status), Detail: n.ID, Took: time.Since(began),
	})
	return a
}

// SendPlaintext seals any bytes, posts them once and returns status and body of
// the answer. Nothing is written into the ledger.
func (s *Server) SendPlaintext(ctx context.Context, plaintext []byte) (int, []byte, error) {
	encrypt, query, err := s.sealed(plaintext)
	if err != nil {
		return 0, nil, err
	}
	body := fakevendor.Encode(object{"corp_id": s.o.CorpID, "app_id": s.o.Callback.AppID, "encrypt": encrypt})
	return s.exchange(ctx, http.MethodPost, query.Encode(), body)
}

// sealed gives the encrypted text and the query that signs it.
func (s *Server) sealed(plaintext []byte) (string, url.Values, error) {
	var random [16]byte
	if _, err := crand.Read(random[:]); err != nil {
		return "", nil, fmt.Errorf("seal callback: %w", err)
	}
	encrypt, err := s.courier.envelope.Seal(plaintext, random)
	if err != nil {
		return "", nil, err
	}
	s.mu.Lock()
	nonce := strconv.FormatUint(s.random.Uint64()%1e10, 10)
	timestamp := strconv.FormatInt(s.o.Clock().Unix(), 10)
	s.mu.Unlock()
	return encrypt, url.Values{
		"msg_signature": {s.courier.envelope.Sign(timestamp, nonce, encrypt)},
		"timestamp":     {timestamp}, "nonce": {nonce},
	}, nil
}

// exchange makes one request to the callback address.
func (s *Server) exchange(ctx context.Context, method, query string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Callback.Timeout)
	defer cancel()
	to := s.CallbackURL()
	if strings.Contains(to, "?") {
		to += "&" + query
	} else {
		to += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("post callback: no usable callback address")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	answer, err := s.o.Callback.Client.Do(r)
	if err != nil {
		if inner := new(url.Error); errors.As(err, &inner) {
			err = inner.Err // the rest of it is the address, with the signature
		}
		return 0, nil, fmt.Errorf("post callback: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return 0, nil, fmt.Errorf("read callback's answer: %w", err)
	}
	return answer.StatusCode, text, nil
}

// Verify asks the callback address to prove that it knows the key (验证URL): it
// must answer with the decrypted number. With bare set, "+" stands in the
// address unescaped, as some senders leave it.
func (s *Server) Verify(ctx context.Context, bare bool) error {
	s.mu.Lock()
	echo := strconv.FormatUint(1e8+s.random.Uint64()%9e8, 10)
	s.mu.Unlock()
	encrypt, query, err := s.sealed([]byte(echo))
	if err != nil {
		return err
	}
	query.Set("echostr", encrypt)
	text := query.Encode()
	if bare {
		text = strings.ReplaceAll(text, "%2B", "+")
	}
	status, body, err := s.exchange(ctx, http.MethodGet, text, nil)
	if err != nil {
		return fmt.Errorf("verify callback address: %w", err)
	}
	if status != http.StatusOK || string(body) != echo {
		return fmt.Errorf("verify callback address: answered %d with %d bytes that are not the echo", status, len(body))
	}
	return nil
}
