package cli_test

import (
	"testing"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
)

// A host that has IPv6 alone takes callbacks, and shows its health.
func TestIngestOnIPv6Alone(t *testing.T) {
	in := install(t)
	in.cfg.Ingest.Listen, in.cfg.Ingest.Admin = "[::1]:0", "[::1]:0"
	in.start(app.Run.Ingest)
	in.closed("fwgs-1")
	if u, err := in.bus.Usage(t.Context(), bus.Callbacks); err != nil || u.Messages != 1 {
		t.Errorf("stored %+v, %v; want one callback", u, err)
	}
}
