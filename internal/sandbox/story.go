package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

// order is one work order of the story and the Kingdee bill that it names.
type order struct {
	name    string // as the story calls it
	bill    string
	creator string
	handler string
	wants   []string // letters that its handling records must have, in order
	photos  int      // pictures that the last of them must have
	number  string   // Weiban's, once it is created
}

// cast is the story's work orders.
func cast() []*order {
	return []*order{
		{name: "工单一 空调不制冷", bill: "fwgs-20250605-00000001", creator: "OuyangXue", handler: "LiYang", wants: []string{"F", "H"}, photos: 1},
		{name: "工单二 打印机卡纸", bill: "fwgs-20250605-00000002", creator: "OuyangXue", handler: Unmapped, wants: []string{"H"}},
		{name: "工单三 净水器漏水", bill: "fwgs-20250605-00000003", creator: "OuyangXue", handler: "WangQiang", wants: []string{"H"}},
		{name: "工单四 门锁打不开", bill: "fwgs-20250605-00000004", creator: "OuyangXue", handler: "LiHua", wants: []string{"F", "F", "H"}},
	}
}

// tell runs the story and judges its end.
func (w *world) tell(ctx context.Context) error {
	ends, err := listen(ctx, w.cfg)
	if err != nil {
		return err
	}
	defer ends.close()
	orders := cast()
	w.say.heading("1  Weiban verifies the URL, and a stranger is refused  验证地址")
	w.weiban.SetCallbackURL(fmt.Sprintf("http://127.0.0.1:%d/weiban/acme", w.ports.callbacks))
	if err := w.weiban.Verify(ctx, true); err != nil {
		return fmt.Errorf("%w: URL verification: %w", ErrUnexpected, err)
	}
	if err := w.stranger(ctx); err != nil {
		return err
	}
	sent := 0
	for _, chapter := range []struct {
		title string
		tell  func(context.Context, []*order) (int, error)
	}{
		{"2  Work orders are created  创建工单", w.create},
		{"3  Visits: switch and reply  上门与评论", w.visits},
		{"4  An opportunity moves on  商机推进", w.opportunity},
		{"5  Closing; one by a colleague whom no table knows  关闭工单,其一由对照表没有的员工处理", w.close},
		{"6  Kingdee is away for a moment  金蝶短暂中断", w.outage},
		{"7  The table is completed while the bridge runs, the letter replayed  在线补齐对照表,重放死信", w.mend(ends)},
	} {
		w.say.heading(chapter.title)
		n, err := chapter.tell(ctx, orders)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnexpected, err)
		}
		sent += n
		if err := ends.wait(ctx, sent); err != nil {
			return err
		}
	}
	return w.judge(ctx, orders, ends)
}

// stranger sends what nobody signed.
func (w *world) stranger(ctx context.Context) error {
	url := w.weiban.CallbackURL() + "?msg_signature=0000000000000000000000000000000000000000&timestamp=1&nonce=2"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"encrypt":"`+strings.Repeat("AAAA", 32)[:86]+`=="}`))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	w.say.line("陌生人 stranger", "callback", "", "answered "+resp.Status)
	if resp.StatusCode != http.StatusForbidden {
		return fmt.Errorf("%w: a stranger's callback was answered %s", ErrUnexpected, resp.Status)
	}
	return nil
}

func (w *world) create(ctx context.Context, orders []*order) (int, error) {
	for _, o := range orders {
		bill := w.kingdee.AddBill(fakekingdee.Bill{OrderNo: o.bill, Customer: "示例客户", Problem: o.name})
		n, err := w.weiban.Create(fakeweiban.NewOrder{
			Title: o.name, Text: "请尽快上门", TemplateTitle: "上门维修", Creator: o.creator, Handler: o.handler,
			Relation: fakeweiban.Relation{Type: 1, ID: "wm8xjUCAAAjzIxv1bnZErBXWZgBV2RBg", Name: "示例客户"},
			Answers: []fakeweiban.Answer{
				{Type: "input", Title: "金蝶工单号", Values: []string{o.bill}},
				{Type: "select", Title: "问题原因", Values: []string{"配件老化"}},
				{Type: "select", Title: "处理方案", Values: []string{"更换配件"}},
				{Type: "select", Title: "处理结果", Values: []string{"已修复"}},
				{Type: "selectMultiple", Title: "附加服务"},
			},
		})
		if err != nil {
			return 0, err
		}
		o.number = n.Key
		w.say.name(n.Key, o.name)
		w.say.name(bill.ID, o.name)
		w.say.name(o.bill, o.name)
		if _, err := w.weiban.Send(ctx, n); err != nil {
			return 0, err
		}
	}
	return len(orders), nil
}

func (w *world) visits(ctx context.Context, orders []*order) (int, error) {
	one, four := orders[0], orders[3]
	return w.send(ctx,
		w.act(w.weiban.Switch, one.number, fakeweiban.Act{Staff: "LiYang", Handler: "LiMei", Text: "已上门,缺配件", Show: true}),
		w.act(w.weiban.Reply, one.number, fakeweiban.Act{Staff: "OuyangXue", Text: "客户催促"}),
		w.act(w.weiban.Switch, four.number, fakeweiban.Act{Staff: "LiHua", Handler: "ZhaoLei", Text: "第一次上门"}),
		w.act(w.weiban.Switch, four.number, fakeweiban.Act{Staff: "ZhaoLei", Handler: "LiHua", Text: "第二次上门"}),
	)
}

func (w *world) opportunity(ctx context.Context, _ []*order) (int, error) {
	o, err := w.weiban.AddOpportunity(fakeweiban.Opportunity{Name: "延保合同", StaffID: "ChenJing"})
	if err != nil {
		return 0, err
	}
	n, err := w.weiban.OpportunityChange(o.ID, "ChenJing", func(o *fakeweiban.Opportunity) { o.Stage = fakeweiban.Stages()[1] })
	if err != nil {
		return 0, err
	}
	w.say.name(n.Key, "商机 延保合同")
	_, err = w.weiban.Send(ctx, n)
	return 1, err
}

func (w *world) close(ctx context.Context, orders []*order) (int, error) {
	return w.send(ctx,
		w.act(w.weiban.Close, orders[0].number, fakeweiban.Act{Staff: "LiMei", Text: "已更换压缩机", Pics: []string{
			w.weiban.AddPicture("压缩机.png", pictureOfTheWork()),
		}}),
		w.act(w.weiban.Close, orders[1].number, fakeweiban.Act{Staff: Unmapped, Text: "已清理卡纸"}),
		w.act(w.weiban.Close, orders[3].number, fakeweiban.Act{Staff: "LiHua", Text: "已换锁芯"}),
	)
}

// outage closes Kingdee's port, lets a close arrive, and opens it again.
func (w *world) outage(ctx context.Context, orders []*order) (int, error) {
	if err := w.kingdee.Stop(ctx); err != nil {
		return 0, err
	}
	w.say.line("金蝶 Kingdee", "port closed", "", "every call is refused")
	n, err := w.send(ctx, w.act(w.weiban.Close, orders[2].number, fakeweiban.Act{Staff: "WangQiang", Text: "已更换滤芯"}))
	if err != nil {
		return n, err
	}
	t := time.NewTimer(1500 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return n, ctx.Err()
	case <-t.C:
	}
	w.say.line("金蝶 Kingdee", "port open", "", "back again")
	return n, w.kingdee.Start(ctx, "")
}

// act does one thing in the simulated Weiban and keeps its callback.
func (w *world) act(do func(string, fakeweiban.Act) (fakeweiban.Notice, error), number string, a fakeweiban.Act) func() (fakeweiban.Notice, error) {
	return func() (fakeweiban.Notice, error) {
		w.passed.Add(int64(30 * time.Minute))
		return do(number, a)
	}
}

// send makes and sends callbacks one after the other.
func (w *world) send(ctx context.Context, acts ...func() (fakeweiban.Notice, error)) (int, error) {
	for i, act := range acts {
		n, err := act()
		if err == nil {
			_, err = w.weiban.Send(ctx, n)
		}
		if err != nil {
			return i, err
		}
	}
	return len(acts), nil
}
