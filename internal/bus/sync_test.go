package bus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
)

// probed probes until it can be told, since others use the machine too.
func probed(t *testing.T, b *bus.Bus) (s bus.Sync, how string) {
	t.Helper()
	for range 20 {
		if s, how = b.ProbeSync(within(t)); s != bus.SyncUnknown {
			return s, how
		}
	}
	return s, how
}

// A server that does not sync is known by timing alone, and a probe leaves nothing
// behind, nor does one that died before.
func TestProbeTellsWhetherTheServerSyncs(t *testing.T) {
	for _, always := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync always %t", always), func(t *testing.T) {
			ns := serverOf(t, server.Options{JetStream: true, SyncAlways: always})
			b := open(t, bus.Options{URL: ns.ClientURL()})
			provision(t, b)
			js := must(jetstreamOf(ns.ClientURL()))(t)
			t.Cleanup(js.Conn().Close)
			before := names(t, js)
			made := madeInFiles(t, js)
			s, how := probed(t, b)
			want := bus.Unsynced
			if always {
				want = bus.Synced
			}
			if s != want {
				t.Errorf("found %d: %s", s, how)
			}
			if left := names(t, js); len(left) != len(before) {
				t.Errorf("left behind: %v", left)
			}
			if n := made(); n != 0 {
				t.Errorf("%d streams were made in files: a server killed meanwhile would be unhealthy for ever", n)
			}
		})
	}
}

// madeInFiles counts the streams that are made in files from now on.
func madeInFiles(t *testing.T, js jetstream.JetStream) func() int {
	t.Helper()
	sub := must(js.Conn().SubscribeSync("$JS.EVENT.ADVISORY.API"))(t)
	return func() (n int) {
		t.Helper()
		must(js.AccountInfo(within(t)))(t) // its advisory is the last one
		for {
			m := must(sub.NextMsgWithContext(within(t)))(t)
			var a struct {
				Subject string `json:"subject"`
				Request string `json:"request"`
			}
			if err := json.Unmarshal(m.Data, &a); err != nil {
				t.Fatal(err)
			}
			switch {
			case a.Subject == "$JS.API.INFO":
				return n
			case strings.HasPrefix(a.Subject, "$JS.API.STREAM.CREATE.") && strings.Contains(a.Request, `"storage":"file"`):
				n++
			}
		}
	}
}

func names(t *testing.T, js jetstream.JetStream) (all []string) {
	t.Helper()
	list := js.StreamNames(within(t))
	for n := range list.Name() {
		all = append(all, n)
	}
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	return all
}

// What a probe that died has left goes, by name and subject, and nothing else does.
func TestSweepProbes(t *testing.T) {
	ns := serverOf(t, server.Options{JetStream: true})
	js := must(jetstreamOf(ns.ClientURL()))(t)
	t.Cleanup(js.Conn().Close)
	for name, subject := range map[string]string{"GONGDAN_PROBE_DEAD_0": "gongdan-probe.dead.0", "THEIRS": "gongdan-probe.theirs", "OTHER": "other"} {
		must(js.CreateStream(within(t), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}))(t)
	}
	bus.SweepProbes(within(t), js, time.Hour)
	if left := names(t, js); len(left) != 3 {
		t.Errorf("a young probe may still run: left %v", left)
	}
	bus.SweepProbes(within(t), js, 0)
	if left := names(t, js); len(left) != 2 || slices.Contains(left, "GONGDAN_PROBE_DEAD_0") {
		t.Errorf("left %v", left)
	}
}

// Who may ask the servers is told by them.
func TestProbeAsksWhereItMay(t *testing.T) {
	for _, always := range []bool{false, true} {
		sys, own := server.NewAccount("SYSTEM"), server.NewAccount("BRIDGE")
		ns := serverOf(t, server.Options{
			ServerName: "one", JetStream: true, SyncAlways: always, Accounts: []*server.Account{sys, own}, SystemAccount: "SYSTEM",
			Users: []*server.User{{Username: "u", Password: "p", Account: own}},
		})
		// The server knows the accounts by its own copies.
		system, bridge := must(ns.LookupAccount("SYSTEM"))(t), must(ns.LookupAccount("BRIDGE"))(t)
		const ping = "$SYS.REQ.SERVER.PING.JSZ"
		if err := errors.Join(bridge.EnableJetStream(nil, nil), system.AddServiceExportWithResponse(ping, server.Streamed, nil),
			bridge.AddServiceImport(system, ping, ping)); err != nil {
			t.Fatal(err)
		}
		b := open(t, bus.Options{URL: strings.Replace(ns.ClientURL(), "nats://", "nats://u:p@", 1)})
		s, how := b.ProbeSync(within(t))
		want := map[bool]bus.Sync{false: bus.Unsynced, true: bus.Synced}[always]
		if s != want || !strings.Contains(how, "say") {
			t.Errorf("always %t: found %d: %s", always, s, how)
		}
	}
}

// Who may make no streams cannot tell, and that is no complaint of the connection.
func TestProbeWithoutRights(t *testing.T) {
	ns := serverOf(t, server.Options{JetStream: true, Users: []*server.User{{
		Username: "u", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.CREATE.>", "$SYS.>"}}},
	}}})
	b := open(t, bus.Options{URL: strings.Replace(ns.ClientURL(), "nats://", "nats://u:p@", 1)})
	if s, how := b.ProbeSync(within(t)); s != bus.SyncUnknown || how == "" {
		t.Errorf("found %d: %s", s, how)
	}
	if err := b.Ready(within(t)); err != nil {
		t.Error(err)
	}
}

// The judgement holds where the server is far away: then the difference decides.
func TestJudgeSync(t *testing.T) {
	const µs = time.Microsecond
	for _, tt := range []struct {
		file, memory time.Duration
		want         bus.Sync
	}{
		{400 * µs, 45 * µs, bus.Synced},
		{48 * µs, 45 * µs, bus.Unsynced},
		{90 * µs, 45 * µs, bus.SyncUnknown},
		{2300 * µs, 2000 * µs, bus.SyncUnknown}, // 300 µs for the disk, behind a long way
		{2020 * µs, 2000 * µs, bus.Unsynced},
		{400 * µs, 0, bus.Synced},
	} {
		if s, how := bus.JudgeSync(tt.file, tt.memory); s != tt.want {
			t.Errorf("%s: %d, want %d", how, s, tt.want)
		}
	}
}

// In a cluster the servers have settings of their own: a probe may be unable to tell,
// but it calls no server that syncs one that does not, and leaves nothing behind.
func TestProbeOfACluster(t *testing.T) {
	_, urls := cluster(t)
	b := open(t, bus.Options{URL: urls, Replicas: 3})
	provision(t, b)
	js := must(jetstreamOf(urls))(t)
	t.Cleanup(js.Conn().Close)
	before := len(names(t, js))
	for range 5 {
		if s, how := b.ProbeSync(within(t)); s == bus.Unsynced || how == "" {
			t.Errorf("found %d: %s", s, how)
		}
	}
	if left := names(t, js); len(left) != before {
		t.Errorf("left behind: %v", left)
	}
}
