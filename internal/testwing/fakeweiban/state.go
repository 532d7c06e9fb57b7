package fakeweiban

import (
	"slices"
)

// Put stores a work order unchanged, and replaces one with the same number.
func (s *Server) Put(o Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(o.copy())
}

// Edit changes a work order in place (修改工单), which makes no callback; the
// update time becomes now. edit must not call the server.
func (s *Server) Edit(orderNo string, edit func(*Order)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderNo]
	if o == nil {
		return Refusal{codeNoOrder, orderNo}
	}
	edit(o)
	o.UpdatedAt = s.o.Clock()
	return nil
}

// Remove makes a work order unknown.
func (s *Server) Remove(orderNo string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.orders, orderNo)
	s.orderNos = slices.DeleteFunc(s.orderNos, func(no string) bool { return no == orderNo })
}

// Order returns a copy of one work order.
func (s *Server) Order(orderNo string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderNo]
	if o == nil {
		return Order{}, false
	}
	return *o.copy(), true
}

// Orders returns copies of all work orders, oldest first.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Order, 0, len(s.orderNos))
	for _, no := range s.orderNos {
		out = append(out, *s.orders[no].copy())
	}
	return out
}

// copy shares nothing that an operation changes in place.
func (o *Order) copy() *Order {
	c := *o
	c.Pics, c.CC, c.Messages = slices.Clone(o.Pics), slices.Clone(o.CC), slices.Clone(o.Messages)
	c.Flows, c.Components = slices.Clone(o.Flows), slices.Clone(o.Components)
	return &c
}

// Opportunities returns copies of all opportunities, oldest first.
func (s *Server) Opportunities() []Opportunity {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Opportunity, 0, len(s.dealIDs))
	for _, id := range s.dealIDs {
		out = append(out, *s.deals[id])
	}
	return out
}
