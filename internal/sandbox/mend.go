package sandbox

import (
	"context"
	"fmt"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/fakekingdee"
)

// operator is who mends the letter, in the audit.
const operator = "sandbox"

// mend is the chapter in which an operator reads the letter, adds the row that it
// names, and replays it; the programs run on.
func (w *world) mend(e *ends) func(context.Context, []*order) (int, error) {
	return func(ctx context.Context, _ []*order) (int, error) {
		letters, err := e.letters(ctx)
		if err != nil {
			return 0, err
		}
		w.say.print(shelf(letters))
		if len(letters) != 1 || letters[0].Kind != events.Unmapped || letters[0].Word != Unmapped {
			return 0, fmt.Errorf("%d dead letters, not one that names %s", len(letters), Unmapped)
		}
		row := mendingRow()
		_, err = tables.NewStore(e.bus, time.Now).Set(ctx, "acme", "staff", tables.Write{Word: Unmapped, Cells: row},
			tables.Act{Who: operator, Reason: "a new colleague"})
		if err != nil {
			return 0, err
		}
		w.say.line("操作员 operator", "mapping table set", "staff "+Unmapped, row.String())
		l, err := deadletter.NewBox(e.bus, time.Now).Replay(ctx, letters[0].Number, deadletter.Act{Who: operator})
		if err != nil {
			return 0, err
		}
		w.say.line("操作员 operator", "dead replay", l.Key, fmt.Sprint("letter ", l.Number))
		w.mended, w.repaired = w.mended+1, l.Key
		return 1, nil
	}
}

// mendingRow is what table staff lacks.
func mendingRow() tables.Cells {
	base := fakekingdee.SampleBase()
	return tables.Cells{
		Columns: []string{"emp", "dept", "name"},
		Values:  []string{base.Employees[9].ID, base.Departments[2].ID, base.Employees[9].Name},
	}
}
