package tables

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// The actions of the audit.
const (
	ActionSet     = "table_set"
	ActionUnset   = "table_unset"
	ActionRefused = "table_refused" // takes back the lines of one set or unset that lost a race or could not be written
)

// Line is a line of the audit in stream AUDIT, under gongdan.<tenant>.audit.<action>.
// It is written before the rows are, so that no change is without a line; what
// was not changed after all follows in a line of [ActionRefused].
type Line struct {
	Action string    `json:"action"`
	Tenant string    `json:"tenant"`
	Who    string    `json:"who"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Table  string    `json:"table"`
	Rows   []Change  `json:"rows"`
}

// Change is one row's before and after.
type Change struct {
	Word   string `json:"word"`
	Before *Row   `json:"before,omitempty"` // nil: there was none
	After  *Cells `json:"after,omitempty"`  // nil: it is taken away
}

func (s *Store) line(action, tenant, name string, act Act, rows ...Change) Line {
	// Round strips what a bucket cannot hold.
	return Line{Action: action, Tenant: tenant, Table: name, Who: act.Who, Reason: act.Reason, At: s.now().UTC().Round(0), Rows: rows}
}

// change writes the audit of a shard's changes and then the shard, and gives the
// changes that it has made. The others are in the error: [ErrRace] where somebody
// else has changed the row since the shard was read.
func (s *Store) change(ctx context.Context, sh shard, line Line) (done []Change, err error) {
	if _, err := s.encode(sh.with(line)); err != nil {
		return nil, err // before the audit would say that it was done
	}
	if noted, err := s.audit(ctx, line); err != nil {
		return nil, errors.Join(err, s.refuse(ctx, line, line.Rows[:noted]))
	}
	done, lost, err := s.write(ctx, sh, line)
	if err == nil && len(lost) > 0 {
		err = races(line.Table, lost)
	}
	return done, errors.Join(err, s.refuse(ctx, line, lost))
}

// refuse takes back what the audit says of rows.
func (s *Store) refuse(ctx context.Context, line Line, rows []Change) error {
	line.Action, line.Rows = ActionRefused, rows
	_, err := s.audit(ctx, line)
	return err
}

// write writes the shard with the line's changes. Where it was changed meanwhile,
// those go into what is there now whose rows are still what was decided upon.
// lost are those that were surely not made.
func (s *Store) write(ctx context.Context, sh shard, line Line) (done, lost []Change, err error) {
	for len(line.Rows) > 0 {
		var data []byte
		if data, err = s.encode(sh.with(line)); err != nil {
			return nil, append(lost, line.Rows...), err
		}
		if sh.revision == 0 {
			_, err = s.bucket.Create(ctx, sh.key(), data)
		} else {
			_, err = s.bucket.Update(ctx, sh.key(), data, sh.revision)
		}
		switch {
		case err == nil:
			return line.Rows, lost, nil
		case errors.Is(err, bus.ErrFull), errors.Is(err, bus.ErrTooLarge):
			return nil, append(lost, line.Rows...), fmt.Errorf("table %s: %w", line.Table, err)
		case !errors.Is(err, bus.ErrExists) && !errors.Is(err, bus.ErrConflict):
			return nil, lost, fmt.Errorf("table %s: %w", line.Table, err)
		}
		if sh, err = s.shard(ctx, sh.place); err != nil {
			return nil, append(lost, line.Rows...), fmt.Errorf("table %s: %w", line.Table, err)
		}
		var still []Change
		for _, c := range line.Rows {
			if sh.holds(c, line) {
				still = append(still, c)
			} else {
				lost = append(lost, c)
			}
		}
		line.Rows = still
	}
	return nil, lost, nil
}

// with is the shard's rows after the line's changes.
func (sh shard) with(line Line) (shard, map[string]Row) {
	rows := maps.Clone(sh.rows)
	if rows == nil {
		rows = map[string]Row{}
	}
	for _, c := range line.Rows {
		if c.After == nil {
			delete(rows, c.Word)
		} else {
			rows[c.Word] = Row{Cells: *c.After, Who: line.Who, At: line.At}
		}
	}
	return sh, rows
}

// holds says whether a row is what a change was decided upon, or what it makes of
// it: the answer to a write may be lost, and the write not.
func (sh shard) holds(c Change, line Line) bool {
	r, ok := sh.rows[c.Word]
	if ok && c.After != nil && r.equal(Row{Cells: *c.After, Who: line.Who, At: line.At}) {
		return true
	}
	return ok == (c.Before != nil) && (!ok || r.equal(*c.Before))
}

// headroom is what a message needs beside its data.
const headroom = 16 << 10

// encode is a shard's bytes, if the server takes them.
func (s *Store) encode(sh shard, rows map[string]Row) ([]byte, error) {
	data, err := encode(rows)
	if limit := s.bus.MaxPayload() - headroom; err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("table %s: %w: entry %s of bucket %s would have %d bytes, and the NATS server takes %d: raise its max_payload, take rows away, or put the table into a file beside the mapping",
			sh.table, ErrLarge, sh.key(), Bucket, len(data), limit)
	}
	return data, err
}

// shownRows bounds how many rows an error names.
const shownRows = 5

// races words the rows that were lost to somebody else.
func races(name string, lost []Change) error {
	var words []string
	for i, c := range lost {
		if i == shownRows {
			words = append(words, fmt.Sprintf("%d more", len(lost)-i))
			break
		}
		words = append(words, strconv.Quote(c.Word))
	}
	return fmt.Errorf("table %s, row %s: %w", name, strings.Join(words, ", "), ErrRace)
}

// lineBytes bounds the rows of one line of the audit.
const lineBytes = 256 << 10

// audit writes a line, one of many rows as several, and gives how many rows are
// surely in it.
func (s *Store) audit(ctx context.Context, line Line) (noted int, err error) {
	rows, size := line.Rows, 0
	for i, c := range rows {
		if c.Before != nil {
			size += c.Before.size() + len(c.Before.Who)
		}
		if c.After != nil {
			size += c.After.size()
		}
		size += 100 + len(c.Word)
		if i < len(rows)-1 && size < lineBytes {
			continue
		}
		line.Rows = rows[noted : i+1]
		if err := s.note(ctx, line); err != nil {
			return noted, err
		}
		noted, size = i+1, 0
	}
	return noted, nil
}

func (s *Store) note(ctx context.Context, line Line) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("audit %s: %w", line.Action, err)
	}
	m := bus.Message{
		Subject: events.AuditSubject(line.Tenant, line.Action), ContentType: "application/json", Data: data,
		ID: line.Tenant + "/" + line.Action + "/" + cmp.Or(line.Table, "-") + "/" + rand.Text(),
	}
	if _, err := s.bus.Publish(ctx, m); err != nil {
		return fmt.Errorf("audit %s: %w", line.Action, err)
	}
	return nil
}
