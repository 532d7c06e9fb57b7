package fakekingdee

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status letters of a bill (billstatus); F, H and G are also what handle-order
// sets.
const (
	StatusNew          = "A"
	StatusNotHandled   = "C"
	StatusHandling     = "F"
	StatusDone         = "H"
	StatusCannotHandle = "G"
)

// Bill is one service work order (服务工单, wg_service_workorder).
type Bill struct {
	ID          string // 19 digits
	OrderNo     string // fwgs-YYYYMMDD-NNNNNNNN
	Date        time.Time
	Status      string // billstatus
	Progress    string // completionprogress
	Customer    string
	Mobile      string
	Address     string
	Problem     string
	HandlerID   string // dealman; "" until it was handled
	DeptID      string
	Hours       float64 // totalservicehours
	CompletedAt string  // actualcompletiontime, as it was sent; "" until done
}

// Picture is a photo as handle-order names it.
type Picture struct {
	URL  string `json:"url"`
	Name string `json:"name"`
}

// DealRecord is one handling record (处理记录, wg_deal_record): what one accepted
// handle-order has left.
type DealRecord struct {
	Seq       int    // arrival over all bills, from 1
	ID        string // 19 digits
	BillNo    string // CLJL-YYYYMMDD-NNNNNNNN
	OrderNo   string // sourcebillno
	At        time.Time
	Start     string // as sent: yyyy-MM-dd HH:mm:ss
	End       string
	HandlerID string
	DeptID    string
	Status    string // F, H or G
	Hours     float64
	Progress  string
	ReasonID  string
	SchemeID  string
	ResultID  string
	Remark    string // clsmid
	Others    []string
	Address   string
	Before    []Picture
	After     []Picture
	Body      string // the whole body of the call, as it came
}

// Arrival is one handle-order that was carried out, accepted or refused, in the
// order in which they came.
type Arrival struct {
	Seq     int
	At      time.Time
	OrderNo string
	Remark  string
	Refusal string // "" if it was accepted
}

// AddBill puts a bill in, replacing one with its number. ID, Date, Status and
// Progress are filled in where they are empty; the bill as it then is comes
// back.
func (s *Server) AddBill(b Bill) Bill {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.ID == "" {
		b.ID = s.nextID()
	}
	if b.Date.IsZero() {
		b.Date = s.o.Clock()
	}
	if b.Status == "" {
		b.Status = StatusNotHandled
	}
	if b.Progress == "" {
		b.Progress = "0"
	}
	if s.bills[b.OrderNo] == nil {
		s.billNos = append(s.billNos, b.OrderNo)
	}
	s.bills[b.OrderNo], s.billByID[b.ID] = &b, &b
	return b
}

// Adopt takes over the bills and the handling records of another account set,
// as if they had been made here; this one must have none.
func (s *Server) Adopt(from *Server) {
	bills, records := from.Bills(), from.Records("")
	from.mu.Lock()
	last, perDay := from.lastID, maps.Clone(from.perDay)
	from.mu.Unlock()
	for _, b := range bills {
		s.AddBill(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID, s.perDay = max(s.lastID, last), perDay
	for i := range records {
		r := &records[i]
		s.records, s.recordsOf[r.OrderNo] = append(s.records, r), append(s.recordsOf[r.OrderNo], r)
	}
}

// SetStatus sets a bill's status, as a person in Kingdee would.
func (s *Server) SetStatus(orderNo, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bills[orderNo]
	if b == nil {
		return fmt.Errorf("set status of bill %s: there is none", orderNo)
	}
	b.Status = status
	return nil
}

// Bill returns one bill.
func (s *Server) Bill(orderNo string) (Bill, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bills[orderNo]
	if b == nil {
		return Bill{}, false
	}
	return *b, true
}

// Bills returns all bills, in the order in which they were put in.
func (s *Server) Bills() []Bill {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Bill, 0, len(s.billNos))
	for _, no := range s.billNos {
		out = append(out, *s.bills[no])
	}
	return out
}

// Records returns the handling records of one bill, or of all with "", in
// arrival order, whatever [Options].ReadLag hides from the API.
func (s *Server) Records(orderNo string) []DealRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []DealRecord
	from := s.records
	if orderNo != "" {
		from = s.recordsOf[orderNo]
	}
	for _, r := range from {
		c := *r
		c.Others, c.Before, c.After = slices.Clone(r.Others), slices.Clone(r.Before), slices.Clone(r.After)
		out = append(out, c)
	}
	return out
}

// CountBy counts all records by what by makes of them, e.g. by the marker at the
// end of the remark; records for which it gives "" are left out.
func (s *Server) CountBy(by func(DealRecord) string) map[string]int {
	out := map[string]int{}
	for _, r := range s.Records("") {
		if k := by(r); k != "" {
			out[k]++
		}
	}
	return out
}

// WithRemark counts the records whose remark contains text.
func (s *Server) WithRemark(text string) int {
	return s.CountBy(func(r DealRecord) string {
		return strconv.FormatBool(strings.Contains(r.Remark, text))
	})["true"]
}

// Arrivals returns every handle-order that was carried out for one bill number,
// or for all with "", in arrival order.
func (s *Server) Arrivals(orderNo string) []Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Arrival
	for _, a := range s.arrivals {
		if orderNo == "" || a.OrderNo == orderNo {
			out = append(out, a)
		}
	}
	return out
}
