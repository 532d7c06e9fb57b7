package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

// life is one work order in the simulated Weiban.
type life struct {
	number, bill, handler string
	left                  int
	closed                bool
}

// orders creates n work orders, each with its bill; the first pairs share one.
// It returns their lives and the notices of their creation.
func (c *customer) orders(t *testing.T, n, shared int) ([]*life, []fakeweiban.Notice) {
	t.Helper()
	var lives []*life
	var told []fakeweiban.Notice
	staff := fakeweiban.Roster()
	for i := range n {
		bill := fakekingdee.BillNo(i)
		if i/2 < shared {
			bill = fakekingdee.BillNo(i / 2 * 2)
		}
		if _, there := c.Kingdee.Bill(bill); !there {
			c.Kingdee.AddBill(fakekingdee.Bill{OrderNo: bill})
		}
		l := &life{bill: bill, handler: staff[(i+1)%len(staff)].ID}
		c.passed.Add(int64(time.Minute))
		notice, err := c.Weiban.Create(fakeweiban.NewOrder{
			Title: fmt.Sprintf("报修 %d", i), Creator: staff[i%len(staff)].ID, Handler: l.handler,
			Answers: []fakeweiban.Answer{
				{Type: "input", Title: "金蝶工单号", Values: []string{bill}},
				{Type: "select", Title: "问题原因", Values: []string{"配件老化"}},
				{Type: "select", Title: "处理方案", Values: []string{"更换配件"}},
				{Type: "select", Title: "处理结果", Values: []string{"已修复"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		l.number = notice.Key
		if c.bills == nil {
			c.bills = map[string]string{}
		}
		c.bills[l.number] = bill
		lives, told = append(lives, l), append(told, notice)
	}
	return lives, told
}

// act lets the order's handler do one thing.
func (c *customer) act(t *testing.T, do func(string, fakeweiban.Act) (fakeweiban.Notice, error), l *life, a fakeweiban.Act) fakeweiban.Notice {
	t.Helper()
	c.passed.Add(int64(10 * time.Minute))
	n, err := do(l.number, a)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (c *customer) visit(t *testing.T, l *life, next string) fakeweiban.Notice {
	t.Helper()
	n := c.act(t, c.Weiban.Switch, l, fakeweiban.Act{Staff: l.handler, Handler: next, Text: "已上门"})
	l.handler = next
	return n
}

func (c *customer) end(t *testing.T, l *life) fakeweiban.Notice {
	t.Helper()
	l.closed = true
	return c.act(t, c.Weiban.Close, l, fakeweiban.Act{Staff: l.handler, Text: "已修复"})
}

// months lives the orders through about acts events each, all of them mixed, and
// returns the notices in the order in which things happened.
func (c *customer) months(t *testing.T, dice *rand.Rand, lives []*life, acts int) []fakeweiban.Notice {
	t.Helper()
	staff := fakeweiban.Roster()
	var told []fakeweiban.Notice
	for _, l := range lives {
		l.left = acts - 2 + dice.IntN(5)
	}
	for open := append([]*life(nil), lives...); len(open) > 0; {
		i := dice.IntN(len(open))
		l := open[i]
		told = append(told, c.step(t, dice, l, staff))
		if l.left--; l.left <= 0 {
			if !l.closed {
				told = append(told, c.end(t, l))
			}
			open = append(open[:i], open[i+1:]...)
		}
	}
	return told
}

func (c *customer) step(t *testing.T, dice *rand.Rand, l *life, staff []fakeweiban.Staff) fakeweiban.Notice {
	t.Helper()
	who := staff[dice.IntN(len(staff))].ID
	switch n := dice.IntN(10); {
	case l.closed:
		l.closed = false
		return c.act(t, c.Weiban.Reopen, l, fakeweiban.Act{Staff: who})
	case n < 6:
		return c.visit(t, l, who)
	case n < 9:
		return c.act(t, c.Weiban.Reply, l, fakeweiban.Act{Staff: who, Text: "客户催促"})
	default:
		return c.end(t, l)
	}
}
