package ledger

import (
	"strconv"

	"gongdan-bridge/internal/events"
)

// announce publishes what a stage's newest verdict implies. The record says so
// with its next write; until then an owner that loads it checks.
func (t *step) announce(st events.Stage, check bool) {
	l, _ := t.at(st)
	v := *l.Last
	m := Message{Seq: v.Seq, EventID: v.EventID, Replay: v.Replay}
	p := Publish{
		What: PublishVerdict, Stage: st, Seq: v.Seq, EventID: v.EventID, Replay: v.Replay,
		ID: t.id(m, string(v.Outcome)), Check: (check || t.o.recovery != nil) && !t.unanswered(v.EventID, v.Replay), Verdict: v,
	}
	p.Remade = t.unanswered(v.EventID, v.Replay)
	if v.Letter > 0 && !v.Posted {
		p.LetterID = t.letterID(st, m, v.Letter)
	}
	if st == events.Handle {
		p.Body, p.Effect = t.effectOf(m)
	}
	t.do(p)
	l.Last.Published = true
}

// post publishes the letter of a head that goes on waiting; v is what it says.
func (t *step) post(st events.Stage, v Verdict, check bool) {
	l, _ := t.at(st)
	p := Publish{
		What: PublishLetter, Stage: st, Seq: v.Seq, EventID: v.EventID, Replay: v.Replay,
		LetterID: t.letterID(st, l.Head.Message, v.Letter), Check: check || t.o.recovery != nil, Verdict: v,
	}
	if st == events.Handle {
		p.Body, _ = t.effectOf(l.Head.Message)
	}
	t.do(p)
	l.Head.Posted = true
}

// effectOf is the effect that a message of handle led to, and its body; none and
// nil if it led to none.
func (t *step) effectOf(m Message) (body []byte, found *Effect) {
	for _, e := range t.o.Record.Effects {
		if e.Seq != m.Seq || e.EventID != m.EventID {
			continue
		}
		if len(e.Body) > 0 {
			body = e.Body
		}
		e.Body = nil
		found = &e
	}
	return body, found
}

// id is the message id of the event that a step derives from m.
func (t *step) id(m Message, step string) string {
	return events.MessageID(t.s.Tenant, m.EventID+"~"+step+"~"+strconv.Itoa(m.Replay), 0)
}

func (t *step) letterID(st events.Stage, m Message, n int) string {
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
