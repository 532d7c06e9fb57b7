package fakeweiban

import "fmt"

// Refusal is Weiban's no, as an error of the story operations and as the
// errcode of a call.
type Refusal struct {
	Code int
	Key  string // what it is about
}

// Error names the code, the text and the thing.
func (r Refusal) Error() string {
	return fmt.Sprintf("simulated weiban refuses %s: %d %s", r.Key, r.Code, r.words())
}

// Codes of the business refusals (错误码).
const (
	codeStaffUnknown    = 20201
	codeNoOpportunity   = 22201
	codeNoReference     = 22203
	codeNoOrder         = 22301
	codeHandlerUnknown  = 22302
	codeCopyUnknown     = 22303
	codeActorUnknown    = 22304
	codeReopenRefused   = 22306 // Weiban numbers it and does not say what it is; here: the order is open
	codeOrderClosed     = 22307
	codeRelationUnknown = 22309
)

// words is the errmsg of a code.
func (r Refusal) words() string {
	switch r.Code {
	case codeToken:
		return "身份验证失败,请提供正确的access_token"
	case codeParameter:
		return "其他参数错误"
	case codeConcurrency:
		return "超出接口并发限制"
	case codeFrequency:
		return "超出接口调用频率限制"
	case codeStaffUnknown:
		return "员工不存在"
	case codeNoOpportunity:
		return "未找到商机记录"
	case codeNoReference:
		return "id和serial_number至少填写一个"
	case codeNoOrder:
		return "order_no非法,对应工单不存在"
	case codeHandlerUnknown:
		return "handler_id非法,对应员工不存在"
	case codeCopyUnknown:
		return "cc_list中存在非法的员工id"
	case codeActorUnknown:
		return "staff_id非法,对应员工不存在"
	case codeReopenRefused:
		return "工单未关闭,不能重新打开"
	case codeOrderClosed:
		return "工单已关闭"
	case codeRelationUnknown:
		return "relation_id非法,对应对象不存在"
	}
	return "接口调用失败"
}
