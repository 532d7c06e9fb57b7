package fakeweiban

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/testwing/script"

	"github.com/google/go-cmp/cmp"
)

// The 601st call of an API in a minute is refused, and the API is shut for a
// minute; another API is not.
func TestMinuteQuota(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	no, _ := sample(t, s)
	tok := token(t, s)
	detail := func() string { _, a := get(s, APIOrder, tok, "order_no", no); return errcode(a) }
	for i := range 1200 { // at the limit for two minutes, and never over it
		c.Advance(100 * time.Millisecond)
		if code := detail(); code != "0" {
			t.Fatalf("call %d within the limit answers %s", i, code)
		}
	}
	c.Advance(50 * time.Millisecond)
	if code := detail(); code != "10053" {
		t.Fatalf("the call over the limit answers %s", code)
	}
	broken := c.Now()
	c.Advance(60*time.Second - 1)
	if code := detail(); code != "10053" {
		t.Errorf("just before the minute is over: %s", code)
	}
	if _, a := get(s, APIStaffList, tok); errcode(a) != "0" {
		t.Errorf("another API answers %v", a)
	}
	c.Advance(1)
	if code := detail(); code != "0" {
		t.Errorf("after the minute: %s", code)
	}
	if diff := cmp.Diff([]Breach{{At: broken, API: APIOrder, Rule: RulePerMinute}}, s.Breaches()); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Calls{Total: 1203, OK: 1201, Blocked: 1, Peak: 1}, s.Calls()[APIOrder]); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestHourQuota(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, Limits: Limits{
		InFlight: 5, PerMinute: 600, PerHour: 20, Minute: time.Minute, Hour: time.Hour, MinuteBlock: time.Minute, HourBlock: time.Hour,
	}.Scaled(60)})
	tok := token(t, s)
	staff := func() string { _, a := get(s, APIStaff, tok, "staff_id", "LiHua"); return errcode(a) }
	for range 20 {
		if code := staff(); code != "0" {
			t.Fatalf("within the limit: %s", code)
		}
	}
	if code := staff(); code != "10053" {
		t.Errorf("the 21st call answers %s", code)
	}
	c.Advance(time.Minute - 1)
	if code := staff(); code != "10053" {
		t.Errorf("an hour, scaled to a minute, is not over: %s", code)
	}
	c.Advance(1)
	if code := staff(); code != "0" {
		t.Errorf("after the block: %s", code)
	}
	if b := s.Breaches(); len(b) != 1 || b[0].Rule != RulePerHour {
		t.Errorf("breaches %+v", b)
	}
}

// Four calls may be in progress; a fifth is refused, whatever API it is, and a
// call that was answered or given up counts no more.
func TestConcurrencyQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Options{Latency: time.Second, Script: script.New(1)})
		if err := s.Start(t.Context(), script.InMemory); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: s.Transport()}
		tok := token(t, s)
		at := func(api string) string { return s.URL() + "/open-api/" + api + "?staff_id=LiHua&access_token=" + tok }
		for range 3 {
			var calls sync.WaitGroup
			for range 4 {
				calls.Go(func() {
					if code, err := over(t.Context(), client, at(APIStaff)); code != "0" {
						t.Errorf("one of four answers %s %v", code, err)
					}
				})
			}
			synctest.Wait()
			if code, _ := over(t.Context(), client, at(APIStaffList)); code != "10052" {
				t.Errorf("the fifth answers %s", code)
			}
			calls.Wait()
		}
		s.o.Script.Add(script.Fault{Kind: script.Hang, Times: 4})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() {
				if _, err := over(ctx, client, at(APIStaff)); err == nil {
					t.Error("a hanging call was answered")
				}
			})
		}
		calls.Wait()
		synctest.Wait()
		if code, err := over(t.Context(), client, at(APIStaff)); code != "0" {
			t.Errorf("after four were given up: %s %v", code, err)
		}
		if n := len(s.Breaches()); n != 3 {
			t.Errorf("%d breaches, want 3", n)
		}
		if peak := s.Calls()[APIStaff].Peak; peak != 4 {
			t.Errorf("peak %d, want 4", peak)
		}
	})
}

// A caller with exactly four lanes, each calling again as soon as it has its
// answer, breaks no limit: a slot is free before its caller can know it.
func TestFourLanesNeverBreach(t *testing.T) {
	l := DocumentedLimits()
	l.PerMinute, l.PerHour = 1e6, 1e6
	s := newServer(t, Options{Limits: l})
	if err := s.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seed(50, nil); err != nil {
		t.Fatal(err)
	}
	tok, no := token(t, s), s.Orders()[0].OrderNo
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	var lanes sync.WaitGroup
	for range 4 {
		lanes.Go(func() {
			for range 250 {
				url := s.URL() + "/open-api/" + APIOrder + "?order_no=" + no + "&access_token=" + tok
				if code, err := over(t.Context(), client, url); code != "0" {
					t.Errorf("answered %s %v", code, err)
					return
				}
			}
		})
	}
	lanes.Wait()
	if b := s.Breaches(); len(b) != 0 {
		t.Errorf("breaches: %+v", b)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
