package weiban

import "errors"

// The two classes of a callback that was not opened; every error of
// [Codec.Open], [Codec.OpenBody] and [Codec.Echo] is one of them.
var (
	// ErrNotCallback: the request has not the shape of a callback, whatever key
	// it was made with. Answer 400.
	ErrNotCallback = errors.New("not a callback")
	// ErrRefused: signature, key or receiver is wrong. Answer 403, the same for
	// each, so that nobody outside learns which.
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
	FaultMessageLength Fault = "message-length" // likewise: the length inside is impossible
	FaultReceiver      Fault = "receiver"       // meant for another tenant
)

// CallbackError says why a callback was not opened. Its text holds the fault
// word alone: nothing of the request, of a key or of the payload.
type CallbackError struct {
	Fault Fault
	// Received is the receiver found inside, for [FaultReceiver] only: the
	// callback was signed with our token, so whoever configured it wants to know
	// what to add. Printable ASCII, 64 bytes at most.
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
