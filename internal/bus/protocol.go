package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream's requests for messages, as ADR-8 and ADR-31 of NATS describe them. The client
// library has no batch, and chooses by itself between a replica and the leader.

// protocol sends these requests over a connection.
type protocol struct{ nc *nats.Conn }

// get is the body of both the direct and the leader's request.
type get struct {
	Sequence uint64 `json:"seq,omitempty"`
	Next     string `json:"next_by_subj,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// errNotDirect: no server answers direct reads of the stream.
var errNotDirect = errors.New("no direct reads")

// Statuses of an answer that is no message.
const (
	statusEnd          = "204"
	statusMissing      = "404"
	statusNoResponders = "503"
)

// status is the answer's status, "" for a message.
func status(m *nats.Msg) string {
	if len(m.Data) > 0 {
		return ""
	}
	return m.Header.Get("Status")
}

// direct reads one message from any replica.
func (p protocol) direct(ctx context.Context, stream string, req get) (Stored, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return Stored{}, err
	}
	m, err := p.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return Stored{}, errNotDirect
	}
	if err != nil {
		return Stored{}, classify(err)
	}
	switch s := status(m); s {
	case "":
		return storedOf(m)
	case statusMissing:
		return Stored{}, ErrNotFound
	default:
		return Stored{}, fmt.Errorf("direct read refused: %s %s", s, m.Header.Get("Description"))
	}
}

// directBatch reads many messages in one exchange. They arrive one by one on an inbox,
// then a status ends the batch. Each message names its predecessor, so that a gap shows.
func (p protocol) directBatch(ctx context.Context, stream string, req get) (out []Stored, more bool, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, false, err
	}
	inbox := p.nc.NewInbox()
	sub, err := p.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, classify(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only where the connection is gone
	if err := p.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, body); err != nil {
		return nil, false, classify(err)
	}
	var previous uint64
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return nil, false, errNotDirect
		}
		if err != nil {
			return nil, false, classify(err)
		}
		switch s := status(m); s {
		case "":
		case statusEnd:
			if last := m.Header.Get(headPrevious); last != strconv.FormatUint(previous, 10) {
				return nil, false, fmt.Errorf("batch read is not whole: ends at %s, have %d", last, previous)
			}
			return out, m.Header.Get(headPending) != "0", nil
		case statusMissing:
			return out, false, nil
		case statusNoResponders:
			return nil, false, errNotDirect
		default:
			return nil, false, fmt.Errorf("batch read refused: %s %s", s, m.Header.Get("Description"))
		}
		if before := m.Header.Get(headPrevious); before != strconv.FormatUint(previous, 10) {
			return nil, false, fmt.Errorf("batch read is not whole: %s is missing behind %d", before, previous)
		}
		s, err := storedOf(m)
		if err != nil {
			return nil, false, err
		}
		out, previous = append(out, s), s.Sequence
	}
}

// leader reads one message from the stream's leader.
func (p protocol) leader(ctx context.Context, stream string, req get) (Stored, error) {
	var a struct {
		apiAnswer
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := p.api(ctx, "STREAM.MSG.GET."+stream, req, &a); err != nil {
		return Stored{}, err
	}
	s := Stored{
		Stream: stream, Subject: a.Message.Subject, Sequence: a.Message.Sequence,
		Time: a.Message.Time, Data: a.Message.Data,
	}
	if len(a.Message.Header) > 0 {
		h, err := nats.DecodeHeadersMsg(a.Message.Header)
		if err != nil {
			return Stored{}, fmt.Errorf("headers of message %d: %w", s.Sequence, err)
		}
		s.Header = Header(h)
	}
	return s, nil
}

// apiAnswer is the common part of the answers of JetStream's API.
type apiAnswer struct {
	Error *jetstream.APIError `json:"error"`
}

func (a apiAnswer) failure() error {
	if a.Error == nil {
		return nil
	}
	return a.Error
}

// api sends a request to JetStream's API; a leader answers.
func (p protocol) api(ctx context.Context, verb string, req any, answer interface{ failure() error }) error {
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	m, err := p.nc.RequestWithContext(ctx, "$JS.API."+verb, body)
	if err != nil {
		return classify(err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("answer of JetStream not understood: %w", err)
	}
	return classify(answer.failure())
}
