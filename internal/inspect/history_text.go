package inspect

import (
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

func clock(t time.Time) string { return t.Local().Format(time.DateTime) }

// list joins what is not empty.
func list(parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ", ")
}

// with is "name value", "" without a value.
func with(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func count(n int, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + one
	default:
		return strconv.Itoa(n) + " " + many
	}
}

func by(who, why string) string {
	s := ""
	if who != "" {
		s = " by " + who
	}
	if why != "" {
		s += ": " + why
	}
	return s
}

// waitText says what a head waits for.
func waitText(w ledger.Why) string {
	switch w {
	case ledger.Running:
		return "is worked on, with many followers behind it"
	case ledger.Backoff:
		return "waits for its next try"
	case ledger.Paused:
		return "waits until its API may be called"
	case ledger.Denied:
		return "waits because credentials were refused"
	case ledger.NoBill:
		return "waits for its bill"
	case ledger.Doubt:
		return "in doubt, waits for the next look"
	case ledger.Held:
		return "waits for a person, with a letter"
	default:
		return "waits: " + string(w)
	}
}

func headText(h ledger.Head) string {
	next := ""
	if !h.Next.IsZero() {
		next = "next " + clock(h.Next)
	}
	last := ""
	if f := h.Fault; f != nil {
		last = "last: " + faultText(*f)
	}
	return list(waitText(h.Why), with("on", string(h.On)), count(h.Tries, "try failed", "tries failed"), next, last)
}

func faultText(f ledger.Fault) string {
	s := string(f.Kind)
	if f.API != "" {
		s += " at " + f.API
	}
	if f.Code != "" {
		s += ", code " + f.Code
	}
	if f.Reason != "" {
		s += ": " + f.Reason
	}
	return s
}

func effectText(e ledger.Effect) string {
	deadline := ""
	if e.State == ledger.Intent || e.State == ledger.InDoubt {
		deadline = with("deadline", clock(e.Deadline))
	}
	ended := ""
	if !e.Ended.IsZero() {
		ended = "ended " + clock(e.Ended)
	}
	generation, unsure := "", ""
	if e.Generation > 0 {
		generation = "generation " + strconv.Itoa(e.Generation)
	}
	if e.Unsure {
		unsure = "may have run all the same"
	}
	bill := ""
	if e.Bill != nil {
		bill = with("bill", strings.TrimSpace(e.Bill.OrderNo+" "+e.Bill.ID))
	}
	return list(string(e.State), with("rule", e.Rule), bill, with("status", e.Status), with("marker", e.Marker),
		with("without", e.Without), count(e.Sends, "send", "sends"), count(e.Looks, "look", "looks"), generation, deadline, unsure, ended)
}

func outcomeText(o events.HandleOutcome) string {
	bill := ""
	if o.Bill != nil {
		bill = with("bill", o.Bill.OrderNo)
	}
	letter := ""
	if o.Letter != nil {
		letter = with("letter", o.Letter.ID)
	}
	dry := ""
	if o.DryRun {
		dry = "dry run"
	}
	reason := o.Reason
	if reason != "" {
		reason = ": " + reason
	}
	return list(string(o.Outcome)+reason, with("duplicate of", o.DuplicateOf), with("rule", o.Rule), bill,
		with("status", o.Status), with("marker", o.Marker), dry, letter)
}

func letterText(l LetterLine) string {
	waits := ""
	if l.Waiting {
		waits = "; the order waits for a person"
	}
	return "no. " + strconv.FormatUint(l.Number, 10) + " is open, " + string(l.Kind) + ": " + l.Reason + waits
}

func closedText(a deadletter.Audit) string {
	did := map[string]string{
		deadletter.ActionReplay: "replayed", deadletter.ActionDiscard: "discarded", deadletter.ActionSettle: "settled",
	}[a.Action]
	if did == "" {
		did = a.Action
	}
	if a.Word != "" {
		did += " as " + strconv.Quote(a.Word)
	}
	if a.Forced {
		did += " by force"
	}
	return "letter no. " + strconv.FormatUint(a.Letter.Number, 10) + " was " + did + by(a.Who, a.Reason)
}
