package fakekingdee

import "fmt"

// BillNo is the number of the i-th seeded bill (from 0): fwgs-20250605-00000001
// and so on.
func BillNo(i int) string { return fmt.Sprintf("fwgs-20250605-%08d", i+1) }

// Seed adds n unhandled bills with Chinese customers; the
// i-th has the number billNo(i), nil meaning [BillNo]. They come back in order.
func (s *Server) Seed(n int, billNo func(i int) string) []Bill {
	if billNo == nil {
		billNo = BillNo
	}
	family := []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "司马", "欧阳"}
	given := []string{"晓明", "建国", "丽华", "志强", "敏", "静怡", "子轩"}
	problem := []string{"空调不制冷", "打印机卡纸", "门锁打不开", "净水器漏水", "热水器点不着火"}
	city := []string{"上海市浦东新区", "杭州市西湖区", "广州市天河区", "成都市武侯区"}
	out := make([]Bill, 0, n)
	for i := range n {
		out = append(out, s.AddBill(Bill{
			OrderNo: billNo(i), Customer: family[i%len(family)] + given[i/len(family)%len(given)],
			Mobile: fmt.Sprintf("139%08d", i), Address: fmt.Sprintf("%s示例路%d号", city[i%len(city)], i+1),
			Problem: problem[i%len(problem)],
		}))
	}
	return out
}
