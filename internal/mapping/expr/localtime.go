package expr

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"golang.org/x/text/unicode/norm"

	"gongdan-bridge/internal/textfile"
)

// written is a time as people and date components write it, full width folded: a day with
// - / . or 年月日, then a time with : or 点时分秒, or none, then a zone or none.
var written = regexp.MustCompile(`^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})` +
	`(?:[日号]?|(?:[日号]?[T\s]+|[日号])(上午|下午)?\s*(\d{1,2})[:点时](?:(\d{1,2}|半)分?)?(?::?(\d{1,2})(?:\.\d{1,9})?秒?)?)\s*(Z|[+-]\d{2}:?\d{2})?$`)

// localTime reads a time in China's zone, unless the text names another.
func localTime(china *time.Location) func(ref.Val) ref.Val {
	return func(v ref.Val) ref.Val {
		text := string(v.(types.String))
		unread := failed(Missing{Word: textfile.Shorten(text), Reason: "not a time such as 2025-07-17 14:30"})
		m := written.FindStringSubmatch(strings.TrimSpace(norm.NFKC.String(text)))
		if m == nil {
			return unread
		}
		n := func(s string) int { i, _ := strconv.Atoi(s); return i } // "" is 0, and the rest are digits
		hour, minute := n(m[5]), n(m[6])
		if m[6] == "半" {
			minute = 30
		}
		if m[4] == "下午" && hour < 12 {
			hour += 12
		}
		zone := china
		if m[8] != "" {
			at, err := time.Parse("Z0700", strings.ReplaceAll(m[8], ":", ""))
			if err != nil {
				return unread
			}
			zone = at.Location()
		}
		t := time.Date(n(m[1]), time.Month(n(m[2])), n(m[3]), hour, minute, n(m[7]), 0, zone)
		if t.Month() != time.Month(n(m[2])) || t.Day() != n(m[3]) || t.Hour() != hour || t.Minute() != minute || t.Second() != n(m[7]) {
			return failed(Missing{Word: textfile.Shorten(text), Reason: "no time that exists"})
		}
		return types.Timestamp{Time: t}
	}
}
