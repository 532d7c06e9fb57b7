package fakeweiban

import (
	"fmt"
	"math/rand/v2"
)

// BillNo is the Kingdee number that the i-th seeded order (from 0) names in its
// form: fwgs-20250605-00000001 and so on.
func BillNo(i int) string { return fmt.Sprintf("fwgs-20250605-%08d", i+1) }

// Seed creates n work orders with Chinese customers and forms, the i-th with
// the component 金蝶工单号 set to billNo(i), nil meaning [BillNo]. It gives their
// create notices, in order; nothing is sent.
func (s *Server) Seed(n int, billNo func(i int) string) ([]Notice, error) {
	if billNo == nil {
		billNo = BillNo
	}
	out := make([]Notice, 0, n)
	for i := range n {
		notice, err := s.Create(s.sample(i, billNo(i)))
		if err != nil {
			return out, fmt.Errorf("seed work order %d: %w", i, err)
		}
		out = append(out, notice)
	}
	return out, nil
}

// sample is one made-up order, the same for the same number and staff.
func (s *Server) sample(i int, billNo string) NewOrder {
	s.mu.Lock()
	staff := s.staffOrder
	s.mu.Unlock()
	pick := func(from []string, step int) string { return from[i/step%len(from)] }
	customer := pick([]string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "司马", "欧阳"}, 1) +
		pick([]string{"晓明", "建国", "丽华", "志强", "敏", "静怡", "子轩"}, 12)
	fault := pick([]string{"空调不制冷", "打印机卡纸", "门锁打不开", "净水器漏水", "热水器点不着火"}, 1)
	return NewOrder{
		Title: customer + "报修:" + fault, Text: fault + ",请尽快上门", TemplateTitle: "上门维修",
		Creator: staff[i%len(staff)], Handler: staff[(i+1)%len(staff)],
		Relation: Relation{Type: 1, ID: fmt.Sprintf("wm8xjUCAAA%022d", i), Name: customer},
		Answers: []Answer{
			{"input", "金蝶工单号", []string{billNo}},
			{"input", "电话", []string{fmt.Sprintf("139%08d", i)}},
			{"select", "城市", []string{pick([]string{"上海", "杭州", "广州", "成都"}, 1)}},
			{"select", "问题原因", []string{pick([]string{"配件老化", "安装不当", "使用不当"}, 1)}},
			{"select", "处理方案", []string{pick([]string{"更换配件", "重新安装", "现场指导"}, 1)}},
			{"select", "处理结果", []string{pick([]string{"已修复", "待配件"}, 1)}},
			{"selectMultiple", "附加服务", nil},
			{"file", "附件", nil},
		},
	}
}

// Shuffled gives the notices in another order, in which none has moved by more
// than reach places; the same seed gives the same order.
func Shuffled(seed uint64, reach int, notices []Notice) []Notice {
	out := append([]Notice(nil), notices...)
	dice := rand.New(rand.NewPCG(seed, 1))
	for from := 0; from < len(out); from += reach + 1 {
		part := out[from:min(from+reach+1, len(out))]
		dice.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	return out
}

// Doubled gives the notices with a share of them (0 to 1) twice, the second
// somewhere behind the first; the same seed doubles the same ones.
func Doubled(seed uint64, share float64, notices []Notice) []Notice {
	dice := rand.New(rand.NewPCG(seed, 2))
	out := append([]Notice(nil), notices...)
	for i := len(notices) - 1; i >= 0; i-- {
		if dice.Float64() >= share {
			continue
		}
		at := i + 1 + dice.IntN(len(out)-i)
		out = append(out[:at], append([]Notice{notices[i]}, out[at:]...)...)
	}
	return out
}
