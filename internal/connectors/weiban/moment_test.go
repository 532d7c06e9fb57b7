package weiban

import (
	"testing"
	"time"
)

// TestContentKeysOutliveTheReaderOfTimes: content keys name effects that are on
// record, so a time that the first reader could not read stays out of the key,
// also where the notice has it now.
func TestContentKeysOutliveTheReaderOfTimes(t *testing.T) {
	const without = "c-8ca1dceb89d65548c1f0c7573056443a"
	for sent, want := range map[string]struct{ key, at string }{
		`1640244967.924`:        {"c-458e5510ad9b5109ba825731769ac1d2", "2021-12-23T07:36:07.924Z"},
		`1640244967924`:         {"c-458e5510ad9b5109ba825731769ac1d2", "2021-12-23T07:36:07.924Z"},
		`"1640244967"`:          {"c-89349335838caafe9f87daa2ed94f971", "2021-12-23T07:36:07Z"},
		`100000000000001`:       {"c-def56010e88995733bd3b72c62d040d5", "1973-03-03T09:46:40Z"},
		`1640244967924123`:      {without, "2021-12-23T07:36:07.924Z"},
		`"2021-12-23 15:36:07"`: {without, "2021-12-23T07:36:07Z"},
		`"2021/12/23 15:36"`:    {without, "2021-12-23T07:36:00Z"},
		`" 1640244967"`:         {without, "2021-12-23T07:36:07Z"},
		`253402300800000`:       {without, "1978-01-11T21:31:40.8Z"},
		`null`:                  {without, ""}, `0`: {without, ""}, `-5`: {without, ""}, `true`: {without, ""},
	} {
		n := parse(t, `{"id":"x","event":"work_order_change","status":"close","create_time":`+sent+`,"msg_data":{"order_no":"1"}}`)
		at := ""
		if !n.CreateTime.IsZero() {
			at = n.CreateTime.Format(time.RFC3339Nano)
		}
		if n.ContentKey != want.key || at != want.at {
			t.Errorf("%s: key %s, time %s", sent, n.ContentKey, at)
		}
	}
}
