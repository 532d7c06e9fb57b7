package cli

import (
	"errors"
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	for s, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "0s": now, "7d": now.Add(-7 * 24 * time.Hour),
		"2026-11-21":                time.Date(2026, 11, 21, 0, 0, 0, 0, time.Local),
		"2026-11-21 08:30":          time.Date(2026, 11, 21, 8, 30, 0, 0, time.Local),
		"2026-11-21T08:30:15":       time.Date(2026, 11, 21, 8, 30, 15, 0, time.Local),
		"2026-11-21T08:30:15+08:00": time.Date(2026, 11, 21, 0, 30, 15, 0, time.UTC),
	} {
		if got, err := moment("--since", s, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-24h", "yesterday", "d", "-7d", "99999999d", "2026-13-01"} {
		if got, err := moment("--until", s, now); !errors.Is(err, errUsage) {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
}

func TestPeriod(t *testing.T) {
	p, err := span{Order: "7"}.period("24h")
	if err != nil || !p.Since.IsZero() || !p.Until.IsZero() {
		t.Errorf("of one order everything: %+v, %v", p, err)
	}
	if p, err = (span{Since: "2026-11-21", Until: "2026-11-22"}).period("24h"); err != nil || p.Until.Sub(p.Since) != 24*time.Hour {
		t.Errorf("one day: %+v, %v", p, err)
	}
	if _, err = (span{Until: "48h"}).period("24h"); !errors.Is(err, errUsage) {
		t.Errorf("an end before the beginning: %v", err)
	}
}
