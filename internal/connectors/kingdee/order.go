package kingdee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// flag is the only documented action of wg_handleBillBusinessApi.
const flag = "handle-order"

// HandleOrder is one request of 服务工单-处理接口: it adds one handling record to the
// work order. Its JSON is the request's body, in the order of the page's example.
type HandleOrder struct {
	ID   string // 服务工单单据id, 19 digits
	Body Body
}

// Body is body_ of the request. The page marks with * what is required; texts
// that are not may be empty. All ids are decimal strings.
type Body struct {
	OrderNo     string      `json:"orderNo"`            // * 服务工单单据编码, fwgs-…
	StartDate   string      `json:"handlesdate"`        // * 处理开始日期, yyyy-MM-dd HH:mm:ss in China
	EndDate     string      `json:"handleedate"`        // * 处理结束日期, in the same form
	HandlerID   string      `json:"handlemanid"`        // * 处理人
	DeptID      string      `json:"handledeptid"`       // * 部门
	Status      string      `json:"wxztid"`             // * 维修状态: F 处理中, H 处理完成, G 无法处理
	ComboField  string      `json:"combofield"`         // * 维修状态, the same letter as wxztid
	Hours       json.Number `json:"diff,omitempty"`     // 工时(小时), an exact decimal; left out when empty
	Progress    string      `json:"processid"`          // * 完成进度, a number not below 0, as text
	CauseID     string      `json:"wtyyid"`             // * 问题原因
	SolutionID  string      `json:"clfaid"`             // * 处理方案
	ResultID    string      `json:"cljgid"`             // * 处理结果
	Note        string      `json:"clsmid"`             // 处理说明, free text despite its name
	Helpers     []Helper    `json:"labs"`               // 其他处理人
	Latitude    string      `json:"lat"`                // 纬度
	Longitude   string      `json:"lgt"`                // 经度
	Address     string      `json:"handleAddress"`      // 地址
	PhotosPre   []Photo     `json:"attmentInforspre"`   // 处理前照片
	PhotosAfter []Photo     `json:"attmentInforsafter"` // 处理后照片
}

// Helper is one of 其他处理人.
type Helper struct {
	ID string `json:"id"`
}

// Photo is a picture by its address.
type Photo struct {
	URL  string `json:"url"`
	Name string `json:"name"`
}

// wire is the request's body as it is sent. The page's table asks for pageindex
// and pagesize, its examples do not have them: they are sent by setting only.
type wire struct {
	Entity    string `json:"entity"` // 单据标识, always empty
	ID        string `json:"id"`
	Flag      string `json:"flag"`
	PageIndex int    `json:"pageindex,omitempty"`
	PageSize  int    `json:"pagesize,omitempty"`
	Body      Body   `json:"body_"`
}

// MarshalJSON writes the request's body without the paging members.
func (o HandleOrder) MarshalJSON() ([]byte, error) { return o.encode(false) }

// encode writes the body that is sent: addresses keep their '&', and lists that
// are not given are empty, never null.
func (o HandleOrder) encode(paged bool) ([]byte, error) {
	w := wire{ID: o.ID, Flag: flag, Body: o.Body}
	if paged {
		w.PageIndex, w.PageSize = 1, 10
	}
	if w.Body.Helpers == nil {
		w.Body.Helpers = []Helper{}
	}
	if w.Body.PhotosPre == nil {
		w.Body.PhotosPre = []Photo{}
	}
	if w.Body.PhotosAfter == nil {
		w.Body.PhotosAfter = []Photo{}
	}
	b, err := events.JSON(w)
	if err != nil {
		return nil, fmt.Errorf("encode handle-order: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads what MarshalJSON wrote; another flag or a member that
// handle-order does not have is an error.
func (o *HandleOrder) UnmarshalJSON(b []byte) error {
	if err := strictjson.Check(b); err != nil {
		return fmt.Errorf("decode handle-order: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w wire
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("decode handle-order: %w", err)
	}
	if w.Flag != flag {
		return errors.New("decode handle-order: it has another flag")
	}
	o.ID, o.Body = w.ID, w.Body
	return nil
}
