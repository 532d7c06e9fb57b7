package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// TestTheOwnerReadsTheStaffList: whoever reads it beside the owner would add a call
// to those that the tenant may have in progress.
func TestTheOwnerReadsTheStaffList(t *testing.T) {
	b := newBridge(t)
	if _, err := orders.StaffOf(t.Context(), b.bus, "acme"); !errors.Is(err, bus.ErrNoResponders) {
		t.Fatalf("without an owner: %v", err)
	}
	b.run("one", nil)
	var list []orders.Staff
	b.until("the owner answers", func() (ok bool) {
		var err error
		list, err = orders.StaffOf(t.Context(), b.bus, "acme")
		return err == nil
	})
	named := 0
	for _, x := range list {
		if x.ID != "" && x.Name != "" && len(x.Department) > 0 {
			named++
		}
	}
	if len(list) < 5 || named != len(list) {
		t.Errorf("%d members, %d with id, name and department", len(list), named)
	}
	b.faultsW.Add(script.Fault{Kind: script.Status, Status: 503, API: fakeweiban.APIStaffList, Times: 100})
	if _, err := orders.StaffOf(t.Context(), b.bus, "acme"); !errors.Is(err, orders.ErrRefused) || !strings.Contains(err.Error(), "503") {
		t.Errorf("while Weiban is down: %v", err)
	}
}
