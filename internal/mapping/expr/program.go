package expr

import (
	"context"
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"gongdan-bridge/internal/events"
)

// Kind is what an expression must give.
type Kind string

// The kinds of result. A field may be left out by null or optional.none().
const (
	Text   Kind = "text"   // a text, or an int or decimal, written as text
	Number Kind = "number" // an int or a decimal
	List   Kind = "list"
	Object Kind = "object" // a map
	Bool   Kind = "bool"   // true or false
)

// Program is a compiled expression, safe for concurrent use.
type Program struct {
	Source string
	Uses   []Use // tables that it asks
	// Results are the constants and columns that it may give.
	Results []Result
	// Warnings are comparisons that can never be true.
	Warnings []Issue
	// NeedsBillID says that the expression speaks of the bill, and not of its number alone.
	NeedsBillID bool

	prg   cel.Program
	loops bool
	kind  Kind
}

// Spec says where an expression stands and what it must give.
type Spec struct {
	Noun events.Noun
	Bill bool // whether `bill` is known
	Kind Kind
	// Columns gives the columns of a declared table, nil where they are not known,
	// and false if there is no such table.
	Columns func(table string) ([]string, bool)
	// Tables lists the declared tables.
	Tables []string
}

// Compile checks source and plans it. No issue means a program.
func (l *Language) Compile(source string, s Spec) (*Program, []Issue) {
	e := l.envs[place{s.Noun, s.Bill}]
	checked, iss := e.cel.Compile(source)
	if iss.Err() != nil {
		return nil, e.issues(source, iss, s)
	}
	p := &Program{Source: source, kind: s.Kind}
	root := checked.NativeRep()
	found := inspect(p, root, s)
	if i, ok := e.wrongKind(checked.OutputType(), s.Kind); ok {
		found = append(found, i)
	}
	if len(found) > 0 {
		return nil, found
	}
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CostLimit(l.cost)}
	if p.loops {
		opts = append(opts, cel.InterruptCheckFrequency(64))
	}
	prg, err := e.cel.Program(checked, opts...)
	if err != nil {
		return nil, []Issue{{Line: 1, Column: 1, Message: "cannot be planned: " + err.Error()}}
	}
	p.prg = prg
	return p, nil
}

// ErrStopped is in the chain of the error of an expression that spent its cost
// limit or its time.
var ErrStopped = errors.New("the expression was stopped")

// Eval works the expression out: a string, json.Number, bool, []any,
// map[string]any, or nil where it gives null or optional.none(). The error is a
// [*Missing], wraps [ErrStopped], or says what CEL found.
func (p *Program) Eval(ctx context.Context, s *Scope) (any, error) {
	v, err := p.run(ctx, s)
	if err != nil {
		return nil, reword(err)
	}
	return native(v, p.kind)
}

func (p *Program) run(ctx context.Context, s *Scope) (ref.Val, error) {
	if p.loops {
		v, _, err := p.prg.ContextEval(ctx, s)
		return v, err
	}
	v, _, err := p.prg.Eval(s)
	return v, err
}

func reword(err error) error {
	var m *Missing
	var stop interpreter.EvalCancelledError
	switch {
	case errors.As(err, &m):
		return m
	case errors.As(err, &stop) && stop.Cause == interpreter.CostLimitExceeded:
		return fmt.Errorf("%w: it costs too much", ErrStopped)
	case errors.As(err, &stop), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: it takes too long", ErrStopped)
	}
	return err
}

// Loops says whether the expression loops, and so wants a context that ends.
func (p *Program) Loops() bool { return p.loops }
