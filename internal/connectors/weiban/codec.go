package weiban

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// MaxKeys is how many keys a codec takes: enough for any rotation.
const MaxKeys = 32

// Codec opens what Weiban sends to the callback endpoint (消息订阅, doc-477078).
// It is made once and safe for use by many goroutines.
type Codec struct {
	keys      []signer
	receivers []string
	empty     bool // no receiver is accepted too
	strict    *base64.Encoding
}

// WithEmptyReceiver gives a codec that also accepts what carries no receiver, as long
// as a key fits.
func (c *Codec) WithEmptyReceiver() *Codec {
	more := *c
	more.empty = true
	return &more
}

// NewCodec makes a codec that accepts what is signed and encrypted with any of
// keys (several while one is being replaced) for any of receivers: the corp_id
// that the console shows, and others that the same configuration may carry.
// All faults are reported at once, by the key's number and never its content.
func NewCodec(keys []Key, receivers []string) (*Codec, error) {
	c := &Codec{receivers: slices.Clone(receivers), strict: base64.StdEncoding.Strict()}
	var faults []error
	if len(keys) == 0 || len(keys) > MaxKeys {
		faults = append(faults, fmt.Errorf("%d callback keys, want 1 to %d", len(keys), MaxKeys))
	}
	for i, k := range keys {
		s, err := k.signer()
		if err != nil {
			faults = append(faults, fmt.Errorf("callback key %d: %w", i+1, err))
		}
		c.keys = append(c.keys, s)
	}
	if len(receivers) == 0 {
		faults = append(faults, errors.New("no accepted receiver"))
	}
	for i, r := range receivers {
		if r == "" || strings.TrimSpace(r) != r {
			faults = append(faults, fmt.Errorf("receiver %d is empty or has white space around it", i+1))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("new callback codec: %w", errors.Join(faults...))
	}
	return c, nil
}

// Open verifies and decrypts the base64 text encrypt, which came with the query
// values msg_signature, timestamp and nonce. The plaintext is whatever Weiban
// signed: usually a notice, but not necessarily JSON, and possibly empty.
//
// The checks run in this order: the values are there, the text is base64 of
// whole blocks (else [ErrNotCallback]); the signature fits one of the keys, the
// padding, the inner length and the receiver are right (else [ErrRefused]).
// Nothing is decrypted before the signature fits. Errors are [*CallbackError].
func (c *Codec) Open(q url.Values, encrypt string) ([]byte, error) {
	signature, timestamp, nonce := q.Get("msg_signature"), q.Get("timestamp"), q.Get("nonce")
	if signature == "" || timestamp == "" || nonce == "" {
		return nil, refuse(FaultParameter)
	}
	if encrypt == "" {
		return nil, refuse(FaultNoEncrypt)
	}
	box, err := c.decode(encrypt)
	if err != nil {
		return nil, err
	}
	fits := c.signers(signature, timestamp, nonce, encrypt)
	if fits == 0 {
		return nil, refuse(FaultSignature)
	}
	// Two keys may share a token while only the AES key is being replaced: then
	// both fit, and decrypting says which one it was.
	for i := range c.keys {
		if fits&(1<<i) == 0 {
			continue
		}
		fits &^= 1 << i
		attempt := box
		if fits != 0 {
			attempt = slices.Clone(box)
		}
		var msg []byte
		if msg, err = c.unseal(&c.keys[i], attempt); err == nil {
			return msg, nil
		}
		if FaultOf(err) == FaultReceiver {
			return nil, err
		}
	}
	return nil, err
}

// OpenBody opens the body of a POST: a JSON object whose member encrypt (or
// Encrypt, as Weiban's prose once writes it) is the base64 text. Other members
// (corp_id, app_id) are not authenticated and therefore not looked at.
func (c *Codec) OpenBody(q url.Values, body []byte) ([]byte, error) {
	encrypt, fault := envelope(body)
	if fault != "" {
		return nil, refuse(fault)
	}
	return c.Open(q, encrypt)
}

// Echo opens the echostr of a GET by which Weiban verifies the URL. The reply
// is to be sent as it is: no quotes, no newline. A '+' that arrived bare, and
// so became a space in the query, is put back.
func (c *Codec) Echo(q url.Values) ([]byte, error) {
	echo := q.Get("echostr")
	if echo == "" {
		return nil, refuse(FaultParameter)
	}
	return c.Open(q, strings.ReplaceAll(echo, " ", "+"))
}

// decode turns the text into the ciphertext it stands for, if it has that shape.
func (c *Codec) decode(encrypt string) ([]byte, error) {
	// The decoder skips line breaks even when strict.
	if strings.IndexByte(encrypt, '\n') >= 0 || strings.IndexByte(encrypt, '\r') >= 0 {
		return nil, refuse(FaultBase64)
	}
	box, err := c.strict.DecodeString(encrypt)
	if err != nil {
		return nil, refuse(FaultBase64)
	}
	if len(box) == 0 || len(box)%aes.BlockSize != 0 {
		return nil, refuse(FaultCipherSize)
	}
	return box, nil
}

// signers has bit i set where key i gives that signature. Every key is tried,
// and each is compared in constant time.
func (c *Codec) signers(signature, timestamp, nonce, encrypt string) (fits uint64) {
	given := []byte(signature)
	buf := make([]byte, 0, 64+len(timestamp)+len(nonce)+len(encrypt))
	for i := range c.keys {
		want := c.keys[i].signature(buf, timestamp, nonce, encrypt)
		fits |= uint64(subtle.ConstantTimeCompare(want[:], given)) << i
	}
	return fits
}

// unseal decrypts box in place and takes the message out of it:
// 16 random bytes, 4 bytes of length, the message, the receiver, padding.
func (c *Codec) unseal(k *signer, box []byte) ([]byte, error) {
	cipher.NewCBCDecrypter(k.block, k.iv[:]).CryptBlocks(box, box)
	pad := int(box[len(box)-1])
	if pad < 1 || pad > padBlock || pad > len(box) {
		return nil, refuse(FaultPadding)
	}
	for _, b := range box[len(box)-pad:] {
		if int(b) != pad {
			return nil, refuse(FaultPadding)
		}
	}
	box = box[:len(box)-pad]
	if len(box) < headBytes {
		return nil, refuse(FaultMessageLength)
	}
	n := uint64(binary.BigEndian.Uint32(box[randomBytes:headBytes]))
	if headBytes+n > uint64(len(box)) {
		return nil, refuse(FaultMessageLength)
	}
	end := headBytes + int(n)
	receiver := box[end:]
	if c.empty && len(receiver) == 0 || slices.Contains(c.receivers, string(receiver)) {
		return box[headBytes:end:end], nil
	}
	return nil, &CallbackError{Fault: FaultReceiver, Received: printable(receiver, 64)}
}

// printable is b as text if it is printable ASCII of at most limit bytes.
func printable(b []byte, limit int) string {
	if len(b) > limit {
		return ""
	}
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(b)
}

// The two classes of a callback that was not opened; every error of
// [Codec.Open], [Codec.OpenBody] and [Codec.Echo] is one of them.
var (
	// ErrNotCallback: the request has not the shape of a callback, whatever key
	// it was made with. Answer 400.
	ErrNotCallback = errors.New("not a callback")
	// ErrRefused: signature, key or receiver is wrong. Answer 403, the same for
	// each, so that the answer does not tell which.
	ErrRefused = errors.New("refused")
)

// Fault is one word for the log that says why a callback was not opened.
type Fault string

// Faults of class [ErrNotCallback], found before any key is used.
const (
	FaultParameter  Fault = "missing-parameter" // msg_signature, timestamp, nonce or echostr
	FaultBody       Fault = "body"              // not one strict JSON object
	FaultNoEncrypt  Fault = "missing-encrypt"   // no text in the member encrypt
	FaultBase64     Fault = "base64"            // not standard, padded base64
	FaultCipherSize Fault = "length"            // empty, or not whole AES blocks
)

// Faults of class [ErrRefused].
const (
	FaultSignature     Fault = "signature"      // no key signs it so
	FaultPadding       Fault = "padding"        // signed, but the AES key does not fit
	FaultMessageLength Fault = "message-length" // signed, but the length inside is impossible
	FaultReceiver      Fault = "receiver"       // meant for another tenant
)

// CallbackError says why a callback was not opened. Its text holds the fault
// word alone: nothing of the request, of a key or of the payload.
type CallbackError struct {
	Fault Fault
	// Received is the receiver found inside, for [FaultReceiver] only: the
	// callback was signed with our token, so an administrator must learn what to
	// add. Printable ASCII, 64 bytes at most.
	Received string
}

// Error is the fault in one line.
func (e *CallbackError) Error() string { return "open callback: " + string(e.Fault) }

// Unwrap gives the class: [ErrNotCallback] or [ErrRefused].
func (e *CallbackError) Unwrap() error {
	switch e.Fault {
	case FaultSignature, FaultPadding, FaultMessageLength, FaultReceiver:
		return ErrRefused
	default:
		return ErrNotCallback
	}
}

// FaultOf is the fault word of an error of the codec, "" for any other.
func FaultOf(err error) Fault {
	var e *CallbackError
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}

func refuse(f Fault) error { return &CallbackError{Fault: f} }
