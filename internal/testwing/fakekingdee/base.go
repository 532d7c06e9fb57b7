package fakekingdee

import "strconv"

// Item is one entry of base data (基础资料).
type Item struct {
	ID     string // 19 digits
	Number string
	Name   string
}

// Base is the base data that a call may refer to.
type Base struct {
	Employees   []Item // 员工
	Departments []Item // 部门
	Reasons     []Item // 问题原因
	Schemes     []Item // 处理方案
	Results     []Item // 处理结果
}

// SampleBase is the base data that a simulator starts with. The first of each
// has the id of the page's example; the employees have the names of the
// simulated Weiban's staff.
func SampleBase() Base {
	return Base{
		Employees: append(items(1697009251337127936, "EMP", "李洋", "李华", "李梅", "王强", "张伟", "陈静", "赵磊", "孙丽", "欧阳雪", "黄涛"),
			Item{ID: "2234984992394486784", Number: "EMP099", Name: "协助人员"}),
		Departments: items(1697221606960547840, "BM", "售后中心华东", "售后中心华南", "客服中心"),
		Reasons:     items(1895123256688528389, "WTYY", "配件老化", "安装不当", "使用不当", "其他"),
		Schemes:     items(1895123523051994117, "CLFA", "更换配件", "重新安装", "现场指导", "其他"),
		Results:     items(2028468841138471936, "CLJG", "已修复", "待配件", "无法修复", "其他"),
	}
}

func items(first int64, prefix string, names ...string) []Item {
	out := make([]Item, 0, len(names))
	for i, name := range names {
		out = append(out, Item{
			ID: strconv.FormatInt(first+int64(i)*1024, 10), Number: prefix + strconv.Itoa(1001 + i)[1:], Name: name,
		})
	}
	return out
}

// find gives the item with an id; an unknown one has nothing but its id.
func find(in []Item, id string) (Item, bool) {
	for _, it := range in {
		if it.ID == id {
			return it, true
		}
	}
	return Item{ID: id}, false
}
