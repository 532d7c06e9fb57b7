package weiban_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gongdan-bridge/internal/connectors/weiban"
)

// sampleKey stands for the token and key of the callback configuration
// (回调应用配置) in Weiban's console.
var sampleKey = weiban.Key{Token: "sample-token", EncodingAESKey: strings.Repeat("abcdefghij", 4) + "abc"}

// What Weiban sends for {"id":"7a1d"} with the sample key: the body's member
// encrypt, and the query.
const sampleEncrypt = "rOdhVblQ9KJG0aDOanfKaonCmxpa5sbFLZPC+s6bLMdvgY1t2JRBPM0T+5/7Kc6XuC5qknB3fDG/V/BWcpG++w=="

func sampleQuery() url.Values {
	return url.Values{"msg_signature": {"82e3a8451b9ce00ebb4f7db392f127d7bf5b6b59"}, "timestamp": {"1640244967"}, "nonce": {"64390332"}}
}

// A codec opens what was signed and encrypted with its key. A key never prints
// itself.
func ExampleCodec_Open() {
	codec, err := weiban.NewCodec([]weiban.Key{sampleKey}, []string{"1704174310933890049"})
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := codec.Open(sampleQuery(), sampleEncrypt)
	fmt.Printf("%s %v with %v\n", plaintext, err, sampleKey)
	// Output:
	// {"id":"7a1d"} <nil> with weiban.Key(hidden)
}

// A callback whose signature does not fit is refused before anything is
// decrypted. The error says which check failed and nothing of the content.
func ExampleCodec_Open_refused() {
	codec, err := weiban.NewCodec([]weiban.Key{sampleKey}, []string{"1704174310933890049"})
	if err != nil {
		fmt.Println(err)
		return
	}
	query := sampleQuery()
	query.Set("timestamp", "1640244968")
	_, err = codec.Open(query, sampleEncrypt)
	fmt.Println(err, errors.Is(err, weiban.ErrRefused))
	// Output:
	// open callback: signature true
}

// Receive reads a plaintext that verified, however oddly it is written: here a
// byte order mark stands before it and a name is given twice, with
// the same value.
func ExampleReceive() {
	r := weiban.Receive([]byte("\ufeff" + `{"id":"7a1d","corp_id":"1704174310933890049","create_time":1640244967924,"type":"event",` +
		`"event":"work_order_change","status":"close","status":"close","msg_data":{"order_no":1446377590381088768}}`))
	fmt.Println(r.Event, r.Status, r.Key)
	fmt.Println("repaired:", r.Repaired)
	// Output:
	// work_order_change close 1446377590381088768
	// repaired: bom,duplicate
}

// What cannot be understood still gives something to publish, byte for byte. It
// is about no order, and Cause says why it was not understood.
func ExampleReceive_unrecognised() {
	r := weiban.Receive([]byte("maintenance tonight"))
	fmt.Printf("event %q, %s\n", r.Event, r.Data)
	fmt.Println(strings.HasPrefix(r.Key, "raw-"), r.NotJSON, r.Cause != nil)
	// Output:
	// event "", maintenance tonight
	// true true true
}
