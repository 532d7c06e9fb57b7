package cli_test

import (
	"testing"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

// Ingest alone takes callbacks again soon after its stream was deleted.
func TestIngestProvisionsAgain(t *testing.T) {
	in := install(t)
	in.start(app.Run.Ingest)
	in.closed("fwgs-1")
	bustest.Remove(t, in.server, bus.Callbacks)
	in.until("the stream is there again", func() bool {
		id, err := in.bus.Identity(t.Context(), bus.Callbacks)
		return err == nil && !id.Missing
	})
	in.closed("fwgs-2")
	if u, err := in.bus.Usage(t.Context(), bus.Callbacks); err != nil || u.Messages == 0 {
		t.Errorf("nothing was stored since: %+v, %v", u, err)
	}
}
