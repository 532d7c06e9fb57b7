//go:build unix

package e2e_test

import (
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/harness"
)

// TestStopsSoftly: SIGTERM and SIGHUP stop both programs with status 0, also while the
// collector takes connections and never answers; that costs a few seconds at most.
func TestStopsSoftly(t *testing.T) {
	t.Parallel()
	silent := listen(t, "127.0.0.1:0")
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t, harness.Options{})
			all := append([]*harness.Process{i.Ingest}, i.Dispatchers...)
			for _, p := range all {
				p.Env = append(p.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent.Addr().String())
			}
			start(t, i)
			for _, p := range append(all[1:], all[0]) {
				began := time.Now()
				if err := p.Signal(signal); err != nil {
					t.Fatal(err)
				}
				status, err := p.Wait(within(t, patience))
				if took := time.Since(began); err != nil || status != 0 || took > 10*time.Second {
					log, _ := p.Log()
					t.Errorf("%s ended with status %d after %s: %v\n%s", p.Name, status, took, err, log)
				}
			}
		})
	}
}
