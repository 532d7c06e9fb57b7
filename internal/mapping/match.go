package mapping

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/mapping/facts"
	"gongdan-bridge/internal/textfile"
)

// Input is one enriched event, decoded; see [NewInput].
type Input = facts.Facts

// Meta is what the CloudEvent says about an enriched event beside its data.
type Meta = facts.Meta

// NewInput decodes an enriched event once, for [Mapping.Match]. The error is an
// [events.Failure] of kind invalid.
func NewInput(m Meta, data events.Enriched) (*Input, error) { return facts.Decode(data, m) }

// Match is the rule that wants an event, with what its expressions see. It
// serves one goroutine.
type Match struct {
	m     *Mapping
	rule  *rule
	scope *expr.Scope
}

// BillRef is how the Kingdee bill of an order is found: by its number or its
// id, one of which is set.
type BillRef struct {
	OrderNo string        `json:"orderNo,omitempty"` // 服务工单单据编码
	ID      string        `json:"id,omitempty"`      // 服务工单单据id
	Wait    time.Duration `json:"-"`                 // how long to wait for a bill that Kingdee does not have yet
}

// Match finds the first rule that wants the event: nil if none does and the
// mapping ignores that. The error is an [events.Failure] of kind unmapped: a
// condition that cannot be worked out, or no rule under `otherwise: letter`.
func (m *Mapping) Match(in *Input) (*Match, error) {
	scope := m.language.expr.Scope(in, m.overlay, m.tables)
	for _, r := range m.rules {
		if r.noun != in.Noun() {
			continue
		}
		x := &Match{m: m, rule: r, scope: scope}
		if r.when == nil {
			return x, nil
		}
		ctx, cancel := x.context(r.when.Loops())
		v, err := r.when.Eval(ctx, scope)
		cancel()
		if err != nil {
			return nil, x.failure("when", r.when, err)
		}
		if v == true {
			return x, nil
		}
	}
	if m.letter {
		return nil, &events.Failure{Kind: events.Unmapped, Reason: "no rule of the mapping wants this event"}
	}
	return nil, nil
}

// Rule is the rule's name.
func (x *Match) Rule() string { return x.rule.name }

// Late says what becomes of the event if it is older than what was applied.
func (x *Match) Late() Late { return x.rule.late }

// NeedsBillID says whether the body speaks of the bill's id, so that the bill must be
// found before the body is worked out.
func (x *Match) NeedsBillID() bool { return x.rule.needsBillID }

var billID = regexp.MustCompile(`^[0-9]{1,20}$`)

// maxOrderNo is the longest bill number that is believed.
const maxOrderNo = 100

// Bill works out how the order finds its bill. The error is an [events.Failure]
// of kind unmapped.
func (x *Match) Bill() (BillRef, error) {
	b := x.rule.bill
	ref := BillRef{Wait: b.wait}
	if b.id != nil {
		id, err := x.billText("bill.id", b.id)
		if err == nil && !billID.MatchString(id) {
			err = x.unfit("bill.id", b.id, id, "the bill's id is not digits")
		}
		ref.ID = id
		return ref, err
	}
	no, err := x.billText("bill.orderNo", b.orderNo)
	if why := b.unlike(no); err == nil && why != "" {
		err = x.unfit("bill.orderNo", b.orderNo, no, why)
	}
	ref.OrderNo = no
	return ref, err
}

// unlike says why a text cannot be a bill's number, "" if it can: waiting for such a
// bill would be in vain.
func (b *billRule) unlike(no string) string {
	bad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	plain := func(r rune) bool { return r < unicode.MaxASCII && (unicode.IsDigit(r) || unicode.IsLetter(r)) }
	switch {
	case b.pattern != nil && !b.pattern.MatchString(no):
		return "that is no bill's number by bill.pattern " + b.written
	case utf8.RuneCountInString(no) > maxOrderNo || strings.IndexFunc(no, bad) >= 0:
		return "that is no bill's number"
	case strings.ContainsAny(no, ",，、;；"):
		return "that is more than one bill's number"
	case strings.IndexFunc(no, plain) < 0:
		return "that is no bill's number: it has no digit and no letter of a to z"
	}
	return ""
}

func (x *Match) billText(field string, p *expr.Program) (string, error) {
	ctx, cancel := x.context(p.Loops())
	defer cancel()
	v, err := p.Eval(ctx, x.scope)
	if err != nil {
		return "", x.failure(field, p, err)
	}
	text, _ := v.(string)
	if text = strings.TrimSpace(text); text == "" {
		return "", x.failure(field, p, &facts.Missing{Reason: "it gives an empty text"})
	}
	return text, nil
}

// context bounds what loops; what does not loop needs no bound.
func (x *Match) context(loops bool) (context.Context, context.CancelFunc) {
	if !loops {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), x.m.language.deadline)
}

func (x *Match) unfit(field string, p *expr.Program, word, reason string) *events.Failure {
	return x.failure(field, p, &facts.Missing{Word: textfile.Shorten(word), Reason: reason})
}

// failure words why a field has no value.
func (x *Match) failure(field string, p *expr.Program, err error) *events.Failure {
	f := &events.Failure{Kind: events.Unmapped, Rule: x.rule.name, Field: field, Err: err}
	if p != nil {
		f.Expr = strings.TrimSpace(p.Source)
	}
	var m *facts.Missing
	if errors.As(err, &m) {
		f.Word = m.Word
	}
	f.Reason = fmt.Sprintf("rule %q cannot work out %s: %s", x.rule.name, x.label(field), err)
	return f
}

// label names a field with the vendor's word.
func (x *Match) label(field string) string {
	return x.m.language.checker.shape.members[field].label(field)
}
