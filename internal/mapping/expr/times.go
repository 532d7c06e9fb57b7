package expr

import (
	"fmt"
	"time"
	_ "time/tzdata" // Asia/Shanghai on machines that have no zone files

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"
)

// KingdeeTime is how handle-order writes a moment, in China's time.
const KingdeeTime = time.DateTime

// China is the zone of every text that Kingdee reads.
func China() (*time.Location, error) {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	return loc, nil
}

// times declares what expressions do with moments.
func times(china *time.Location) []cel.EnvOption {
	text := func(layout string) func(ref.Val) ref.Val {
		return func(v ref.Val) ref.Val {
			t, ok := v.(types.Timestamp)
			if !ok {
				return types.MaybeNoSuchOverloadErr(v)
			}
			return types.String(t.In(china).Format(layout))
		}
	}
	ts := cel.TimestampType
	return []cel.EnvOption{
		cel.Function("kingdeeTime",
			cel.Overload("kingdeeTime_timestamp", []*cel.Type{ts}, cel.StringType, cel.UnaryBinding(text(KingdeeTime)))),
		cel.Function("kingdeeDate",
			cel.Overload("kingdeeDate_timestamp", []*cel.Type{ts}, cel.StringType, cel.UnaryBinding(text(time.DateOnly)))),
		cel.Function("localTime",
			cel.Overload("localTime_string", []*cel.Type{cel.StringType}, ts, cel.UnaryBinding(localTime(china)))),
		cel.Function("hours",
			cel.Overload("hours_timestamp_timestamp", []*cel.Type{ts, ts}, decimalType, cel.BinaryBinding(hours))),
	}
}

// hours is the time from a to b in hours: exact where it has at most ten
// places, rounded there where it has more. It is never negative.
func hours(a, b ref.Val) ref.Val {
	from, ok := a.(types.Timestamp)
	to, ok2 := b.(types.Timestamp)
	if !ok || !ok2 {
		return types.NoSuchOverloadErr()
	}
	d := to.Sub(from.Time)
	if d < 0 {
		return failed(Missing{Reason: "hours from a later to an earlier time"})
	}
	return bounded(decimal.NewFromInt(d.Nanoseconds()).DivRound(decimal.NewFromInt(int64(time.Hour)), divisionPlaces))
}
