package ledger

import (
	"strconv"

	"gongdan-bridge/internal/events"
)

// announce publishes what a lane's newest verdict implies. The record says so
// with its next write; until then whoever loads it checks.
func (t *turn) announce(st events.Stage, check bool) {
	l, _ := t.at(st)
	v := *l.Last
	m := Message{Seq: v.Seq, EventID: v.EventID, Replay: v.Replay}
	p := Publish{
		What: PublishVerdict, Stage: st, Seq: v.Seq, EventID: v.EventID, Replay: v.Replay,
		ID: t.id(m, string(v.Outcome)), Check: check, Verdict: v,
	}
	if v.Letter > 0 && !v.Posted {
		p.LetterID = t.letterID(st, m, v.Letter)
	}
	if st == events.Handle {
		p.Body = t.bodyOf(v.Seq)
	}
	t.do(p)
	l.Last.Published = true
}

// post publishes the letter of a head that goes on waiting; v is what it says.
func (t *turn) post(st events.Stage, v Verdict, check bool) {
	l, _ := t.at(st)
	p := Publish{
		What: PublishLetter, Stage: st, Seq: v.Seq, EventID: v.EventID, Replay: v.Replay,
		LetterID: t.letterID(st, l.Head.Message, v.Letter), Check: check, Verdict: v,
	}
	if st == events.Handle {
		p.Body = t.bodyOf(v.Seq)
	}
	t.do(p)
	l.Head.Posted = true
}

// bodyOf is the body of the effect that a message of handle led to.
func (t *turn) bodyOf(seq uint64) []byte {
	for _, e := range t.o.Record.Effects {
		if e.Seq == seq && len(e.Body) > 0 {
			return e.Body
		}
	}
	return nil
}

// id is the message id of the event that a step derives from m.
func (t *turn) id(m Message, step string) string {
	return events.MessageID(t.s.Tenant, m.EventID+"~"+step+"~"+strconv.Itoa(m.Replay), 0)
}

func (t *turn) letterID(st events.Stage, m Message, n int) string {
	return LetterID(t.s.Tenant, st, m, n)
}

// LetterID names the nth letter that m leaves at a stage.
func LetterID(tenant string, st events.Stage, m Message, n int) string {
	id := tenant + "/" + m.EventID + "~" + string(st) + "~" + strconv.Itoa(m.Replay)
	if n > 1 {
		id += "." + strconv.Itoa(n)
	}
	return id
}
