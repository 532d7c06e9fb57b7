package sandbox

import (
	"context"
	"fmt"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
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
		done, err := e.acts.SetRow(ctx, operate.RowRequest{
			Decision:     operate.Decision{Who: operator, Reason: "a new colleague"},
			TableRequest: operate.TableRequest{Tenant: "acme", Table: "staff"}, Word: Unmapped, Cells: mendingRow(),
		}, func(string, uint64, uint64) {})
		if err != nil {
			return 0, err
		}
		if len(done.Repairs) != 1 || done.Repairs[0].Letter != letters[0].Number {
			return 0, fmt.Errorf("the row repairs %+v, not letter %d", done.Repairs, letters[0].Number)
		}
		w.say.line("操作员 operator", "mapping table set", "staff "+Unmapped, done.Changes[0].After.String())
		l, err := e.acts.Replay(ctx, operate.LetterRequest{Decision: operate.Decision{Who: operator}, Number: letters[0].Number})
		if err != nil {
			return 0, err
		}
		w.say.line("操作员 operator", "dead replay", l.Key, fmt.Sprint("letter ", l.Number))
		w.mended, w.repaired = w.mended+1, l.Key
		return 1, nil
	}
}

// mendingRow is what table staff lacks.
func mendingRow() map[string]string {
	base := fakekingdee.SampleBase()
	return map[string]string{"emp": base.Employees[9].ID, "dept": base.Departments[2].ID, "name": base.Employees[9].Name}
}
