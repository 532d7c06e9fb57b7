package cli

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/inspect"
)

// span is which recorded events a command reads.
type span struct {
	Since  string `placeholder:"SPAN|TIME" help:"Events recorded since then: a span such as 24h or 7d, or a time such as 2026-11-22 or 2026-11-22T08:00:00+08:00 (default: ${since}, or everything with --order)."`
	Until  string `placeholder:"SPAN|TIME" help:"Events recorded before then, written in the same way (default: now)."`
	Order  string `help:"Only this order number or opportunity id."`
	Tenant string `help:"The tenant; needed where several are configured."`
}

// period is what the flags say, with def where --since is not given.
func (s span) period(def string) (p inspect.Period, err error) {
	now := time.Now()
	if s.Since != "" || s.Order == "" {
		if p.Since, err = moment("--since", cmp.Or(s.Since, def), now); err != nil {
			return p, err
		}
	}
	if s.Until == "" {
		return p, nil
	}
	if p.Until, err = moment("--until", s.Until, now); err == nil && !p.Until.After(p.Since) {
		err = misused("--until, %s, is not after --since, %s", when(p.Until), when(p.Since))
	}
	return p, err
}

// Validate refuses what is no time before anything is read. Where --since is not
// given, any --until may be right.
func (s span) Validate() error {
	_, err := s.period("36500d")
	return err
}

// bounded reports whether the flags themselves name a time.
func (s span) bounded() bool { return s.Since != "" || s.Until != "" }

// nothing says where nothing was looked at, and how to look further.
func (s span) nothing(p inspect.Period) string {
	text := "nothing is recorded"
	if s.Order != "" {
		text += " of " + s.Order
	}
	if !p.Since.IsZero() {
		text += " since " + when(p.Since)
	}
	if !p.Until.IsZero() {
		text += " and before " + when(p.Until)
	}
	return text
}

// moment reads a span before now, or a time; one without a zone is this machine's.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if days, found := strings.CutSuffix(s, "d"); found {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, misused("%s %s: give a span such as 24h or 7d, or a time such as 2026-11-22 or 2026-11-22T08:00:00+08:00",
		flag, strconv.Quote(s))
}
