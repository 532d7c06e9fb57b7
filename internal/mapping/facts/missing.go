package facts

import (
	"strconv"

	"gongdan-bridge/internal/connectors/weiban"
)

// Missing is why an expression has no value: a word that no table knows, a
// component that the form lacks, a member that was not sent.
type Missing struct {
	Table  string // the table that lacks the word, "" if none was asked
	Column string // the column that is empty, "" if the row itself is missing
	Word   string // the word that was looked for, shortened
	Like   string // the table's word that differs from it in form alone, "" if there is none
	Reason string // one phrase for a person, "" where the table says it all
}

// Error is the reason, or what the table lacks, and the word.
func (m *Missing) Error() string {
	switch {
	case m.Reason != "" && m.Word != "":
		return m.Reason + ": " + strconv.Quote(m.Word)
	case m.Reason != "":
		return m.Reason
	case m.Column != "":
		return "table " + m.Table + " has no " + m.Column + " for " + strconv.Quote(m.Word)
	}
	text := "table " + m.Table + " has no row " + strconv.Quote(m.Word)
	if m.Like != "" {
		text += ", but " + strconv.Quote(m.Like) + ", which differs from it in form alone (capitals, full width, blanks, characters that look alike): add this one too"
	}
	return text
}

// NotRead says that a member was sent in a form that cannot be read, or not all of
// it can.
func NotRead(member string) *Missing {
	return &Missing{Reason: member + " was sent in a form that cannot be read"}
}

// readable is the error of the first of these members that could not be read.
func readable(object string, o interface{ IsUnread(string) bool }, members ...string) error {
	for _, m := range members {
		if o.IsUnread(m) {
			return NotRead(object + m)
		}
	}
	return nil
}

// rows is the order's history, an error where these members of a row could not be
// read, or not every row.
func (f *Facts) rows(members ...string) ([]weiban.ProcessingFlow, error) {
	if f.WorkOrder == nil {
		return nil, nil
	}
	err := readable("", f.WorkOrder, "processing_flows")
	rows := f.WorkOrder.ProcessingFlows
	for i := 0; i < len(rows) && err == nil; i++ {
		err = readable("processing_flows["+strconv.Itoa(i)+"].", &rows[i], members...)
	}
	return rows, err
}
