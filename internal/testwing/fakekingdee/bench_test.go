package fakekingdee

import (
	"strconv"
	"testing"
	"time"
)

// One accepted handle-order and one look at its bill's records, among ten
// thousand bills: what the simulator costs a load run.
func BenchmarkHandleAndLook(b *testing.B) {
	s := New(Options{Limits: Limits{PerMinute: 1 << 30, Minute: time.Minute}})
	bills := s.Seed(10_000, nil)
	c := newCaller(s)
	i := 0
	for b.Loop() {
		bill := bills[i%len(bills)]
		i++
		if got := verdict(c.post(APIHandle, order(bill, strconv.Itoa(i)))); got != "ok" {
			b.Fatal(got)
		}
		look := `{"entityName":"wg_deal_record","andQfilters":[{"property":"sourcebillno","cp":"=","value":"` + bill.OrderNo + `"}]}`
		if got := verdict(c.post(APIList, []byte(look))); got != "ok" {
			b.Fatal(got)
		}
	}
}
