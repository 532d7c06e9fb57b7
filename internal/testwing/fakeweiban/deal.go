package fakeweiban

import (
	"fmt"
	"strconv"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// Stages are the names of the stages of an opportunity, in their order.
func Stages() []string { return []string{"初步接触", "需求确认", "方案报价", "赢单"} }

// AddOpportunity makes an opportunity in the first stage. ID, SerialNumber and
// times are filled in where they are zero; the opportunity as it then is comes
// back.
func (s *Server) AddOpportunity(o Opportunity) (Opportunity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.staff[o.StaffID]; !ok {
		return Opportunity{}, Refusal{codeActorUnknown, o.Name}
	}
	now := s.o.Clock()
	if o.ID == 0 {
		o.ID = internalID(10_000 + len(s.dealIDs))
	}
	if o.SerialNumber == "" {
		o.SerialNumber = fmt.Sprintf("SJ%s%05d", now.In(fakevendor.China()).Format("20060102"), len(s.dealIDs)+1)
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = now
	}
	if o.Stage == "" {
		o.Stage, o.StageID, o.StageUpdatedAt = Stages()[0], internalID(600), o.CreatedAt
	}
	o.UpdatedAt = o.CreatedAt
	if s.deals[o.ID] == nil {
		s.dealIDs = append(s.dealIDs, o.ID)
	}
	s.deals[o.ID] = &o
	return o, nil
}

// OpportunityChange edits an opportunity and gives a callback that tells of it,
// with msg_data {id, serial_number, staff_id}, id as text. Weiban documents no
// such callback: its opportunities have to be polled. edit must not call the
// server; a changed Stage moves the opportunity.
func (s *Server) OpportunityChange(id int64, staff string, edit func(*Opportunity)) (told Notice, err error) {
	key := strconv.FormatInt(id, 10)
	defer func() { s.changed(told, err) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.deals[id]
	if o == nil {
		return Notice{}, Refusal{codeNoOpportunity, key}
	}
	if _, ok := s.staff[staff]; !ok {
		return Notice{}, Refusal{codeActorUnknown, key}
	}
	now, stage, status := s.o.Clock(), o.Stage, "update"
	edit(o)
	o.UpdatedAt = now
	if o.Stage != stage {
		status, o.StageUpdatedAt = "stage", now
		for i, name := range Stages() {
			if name == o.Stage {
				o.StageID, o.StageEnd = internalID(600+i), i == len(Stages())-1
			}
		}
	}
	data := object{"id": key, "serial_number": o.SerialNumber, "staff_id": staff}
	return s.notice(EventOpportunity, status, key, now, true, data), nil
}
