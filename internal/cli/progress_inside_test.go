package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBarAndOutput: at a terminal the bar and what is printed share the lines, and
// neither may stand in the other's.
func TestBarAndOutput(t *testing.T) {
	var screen strings.Builder
	clock := time.Unix(0, 0)
	b := &bar{to: &screen, now: func() time.Time { return clock }, begun: clock}
	out := b.over(&screen)
	b.at("events", 1, 4) // too early to be worth a bar
	if screen.Len() > 0 {
		t.Fatalf("at once: %q", screen.String())
	}
	for n := range uint64(3) {
		clock = clock.Add(barWait)
		b.at("events", n+2, 4)
		b.at("events", n+2, 4) // within the beat: not drawn again
		if n == 1 {
			if _, err := fmt.Fprintln(out, "line"); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.end()
	b.end()
	half, most, all := strings.Repeat("█", 15)+strings.Repeat("░", 15), strings.Repeat("█", 22)+strings.Repeat("░", 8), strings.Repeat("█", 30)
	want := wipe + "events " + half + " 2/4" + wipe + "events " + most + " 3/4" + wipe + "line\n" + wipe + "events " + all + " 4/4" + wipe
	if screen.String() != want {
		t.Errorf("screen\n%q\nwant\n%q", screen.String(), want)
	}
	none := &bar{}
	none.at("events", 1, 2)
	none.end()
}
