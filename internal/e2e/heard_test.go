//go:build unix

package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/schemas"
)

// asHeard judges the whole story by what another service on the bus heard.
func asHeard(t *testing.T, s *story, sub *harness.Subscriber, deal fakeweiban.Opportunity, dead failed) {
	t.Helper()
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	codec := events.NewCodec(set)
	heard := sub.Heard()
	times := map[string]int{}
	for _, h := range heard {
		times[h.Event.Type()+" "+h.Event.ID()]++
		if h.Fault != nil || !codec.Conforms(h.Event) {
			t.Errorf("%s is no event that satisfies its schema: %v", h.Subject, h.Fault)
			continue
		}
		if fault := cloudEvent(h); fault != "" {
			t.Errorf("%s: %s: %s", h.Subject, fault, h.Data)
		}
	}
	for what, n := range times {
		if n != 1 {
			t.Errorf("%s was heard %d times", what, n)
		}
	}
	if got, want := harness.Outcomes(heard, dead.notice.ID), []events.Outcome{events.Dead, events.Applied}; !slices.Equal(got, want) {
		t.Errorf("the replayed callback ended as %v, want %v", got, want)
	}
	slices.Sort(s.ids)
	for _, id := range slices.Compact(s.ids) {
		if n := len(harness.Outcomes(heard, id)); n != 1 && id != dead.notice.ID {
			t.Errorf("callback %s ended %d times", id, n)
		}
	}
	enrichedOpportunity(t, heard, deal)
	replays, err := sub.Bus().Page(within(t, patience), bus.Events, "gongdan.acme.replay.>", 1, 10)
	if err != nil || len(replays) != 1 {
		t.Errorf("the stream holds %d replays, want the one that nobody heard: %v", len(replays), err)
	}
}

// cloudEvent says what is wrong with a message, read without the bridge's help:
// its content type, the attributes that every event has, and its subject on the
// bus.
func cloudEvent(h harness.Heard) string {
	var e struct {
		SpecVersion, ID, Source, Type, Subject, DataContentType, Tenant, Origin, TraceParent, Position string
		Time                                                                                           time.Time
		Data                                                                                           json.RawMessage
	}
	if err := json.Unmarshal(h.Data, &e); err != nil {
		return err.Error()
	}
	source := "urn:weiban:corp:1653682321878942721"
	if strings.HasPrefix(e.Type, "com.kingdee.") {
		source = "urn:kingdee:account:1683187060740048426"
	}
	derived := !strings.HasPrefix(h.Subject, "gongdan.acme.event.weiban.")
	tokens := strings.Split(h.Subject, ".")
	for _, check := range []struct {
		fault string
		holds bool
	}{
		{"content type", h.Header.Get("Content-Type") == "application/cloudevents+json"},
		{"specversion", e.SpecVersion == "1.0"},
		{"id", e.ID != "" && (h.Header.Get("Nats-Msg-Id") == "acme/"+e.ID)},
		{"source", e.Source == source},
		{"subject", e.Subject == tokens[len(tokens)-1] && e.Subject != ""},
		{"datacontenttype", e.DataContentType == "application/json" && len(e.Data) > 0},
		{"time", !e.Time.IsZero()},
		{"tenant", e.Tenant == "acme"},
		{"origin", e.Origin == "callback"},
		{"traceparent", regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`).MatchString(e.TraceParent)},
		{"position", regexp.MustCompile(`^[0-9]{15}-[0-9]{20}$`).MatchString(e.Position) == derived},
		{"subject on the bus", strings.HasPrefix(h.Subject, "gongdan.acme.event.")},
	} {
		if !check.holds {
			return check.fault
		}
	}
	return ""
}

// enrichedOpportunity looks for the one event and at what the vendor's answer has
// become in it: nothing rounded, nothing lost.
func enrichedOpportunity(t *testing.T, heard []harness.Heard, deal fakeweiban.Opportunity) {
	t.Helper()
	subject := fmt.Sprintf("gongdan.acme.event.enriched.opportunity.stage.%d", deal.ID)
	n := slices.IndexFunc(heard, func(h harness.Heard) bool { return h.Subject == subject })
	if n < 0 {
		t.Fatalf("nothing was heard on %s", subject)
	}
	var data struct {
		Callback struct {
			Event, Status string
			MsgData       struct{ ID string } `json:"msg_data"`
		}
		Opportunity struct {
			ID, StageID  json.Number
			SerialNumber string      `json:"serial_number"`
			StaffID      json.Number `json:"staff_id"`
			Stage        struct{ Name string }
		}
	}
	if err := json.Unmarshal(heard[n].Event.Data(), &data); err != nil {
		t.Fatal(err)
	}
	got := []string{
		heard[n].Event.Type(), data.Callback.Event, data.Callback.Status, data.Callback.MsgData.ID,
		data.Opportunity.ID.String(), data.Opportunity.StaffID.String(), data.Opportunity.SerialNumber, data.Opportunity.Stage.Name,
	}
	id := fmt.Sprint(deal.ID)
	want := []string{
		"com.weibanzhushou.opportunity.enriched.v1", "opportunity_change", "stage", id,
		id, "9007199254741003", deal.SerialNumber, "需求确认",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("enriched opportunity (-want +got):\n%s", diff)
	}
}
