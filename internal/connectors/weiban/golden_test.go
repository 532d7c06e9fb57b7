package weiban

import "testing"

// The content key names an effect in records that live for 400 days: it must
// never change for a text that could be read when the record was written.
func TestContentKeysOfOldRecordsStay(t *testing.T) {
	for text, want := range map[string]string{
		switched:                     "c-d21ddf55e29cad1f6fe1e8c0b9bc4cfd",
		`{"event":"a","status":"b"}`: "c-0a250707f9fefc91e449ceb77fec6b2b",
		`{"id":"1","event":"work_order_change","status":"close","create_time":1640244967.924,"msg_data":{"order_no":"12","is_show":{},"cc_list":7}}`:            "c-526205b4f759bcf5090255088c3f7be7",
		`{"id":"1","event":"work_order_change","status":"close","create_time":"1640244967924","msg_data":{"order_no":1446377590381088768,"is_show":"1"}}`:       "c-43cd76a15350e268bfd4ab8fb0bed77d",
		`{"id":"1","event":"work_order_change","status":"close","create_time":"2021-12-23 15:36:07","msg_data":{"order_no":"12"}}`:                              "c-aaeaa04d3ec76d8478b3c8fe6565cc41",
		`{"id":"1","event":"work_order_change","status":"close","create_time":300000000000000,"msg_data":{"order_no":"12"}}`:                                    "c-aaeaa04d3ec76d8478b3c8fe6565cc41",
		`{"id":"1","event":"work_order_change","status":"Close","create_time":1640244967,"msg_data":{"order_no":" 12"}}`:                                        "c-793c647900c4db0208ee8ab3f1d5d7f2",
		`{"id":"1","event":"work_order_change","status":"close","create_time":1640244967924000,"msg_data":{"order_no":"12"}}`:                                   "c-aaeaa04d3ec76d8478b3c8fe6565cc41",
		`{"id":"1","event":"work_order_change","status":"close","create_time":true,"msg_data":{"order_no":"12","x":[null,true,-0.50,1e3,"\ud800",{"":[]},{}]}}`: "c-bec8be940346d174411184de9f8e4671",
		`{"id":"1","event":"opportunity_change","status":"update","create_time":1e9,"msg_data":{"id":77,"serial_number":"商机 \u0031"}}`:                          "c-3749b45486e2032fc0524d6bc9e62373",
		`{"id":"1","event":"meeting_change","status":"create","msg_data":"{\"order_no\":1}"}`:                                                                   "c-0524df758e9a78079b31feb6740afd5c",
		`{"id":"1","event":"meeting_change","status":"create","msg_data":[1,[2,[3]]]}`:                                                                          "c-9532304867f8991d81f1695bb6de2690",
	} {
		if n := parse(t, text); n.ContentKey != want {
			t.Errorf("%s\nhas the key %q, want %q", text, n.ContentKey, want)
		}
	}
}
