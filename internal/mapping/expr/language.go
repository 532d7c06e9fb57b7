package expr

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/facts"
)

const (
	varCallback    = "callback"
	varWorkOrder   = "work_order"
	varOpportunity = "opportunity"
	varFlow        = "flow"
	varEvent       = "event"
	varFetchedAt   = "fetched_at"
	varBill        = "bill"
	varRaw         = "raw"
)

// Bounds of an expression.
const (
	MaxSource = 8 << 10 // bytes
	maxDepth  = 60      // nesting of brackets and calls
	maxNested = 2       // loops inside loops
)

// Cost is the cost limit of an expression in CEL's units: about one a
// step, and one for ten characters of a text that is made.
const Cost = 1_000_000

// Language is the declared variables and helpers. It is safe for concurrent use.
type Language struct {
	reg  *registry
	cost uint64
	envs map[place]*env
}

// place is where an expression stands: what it may speak of depends on it.
type place struct {
	noun events.Noun
	bill bool // whether the bill is known there
}

// env is the CEL environment of one place.
type env struct {
	cel       *cel.Env
	variables map[string]*cel.Type
	reg       *registry
}

// New declares the language. cost bounds what an expression may spend. It takes a few
// milliseconds: keep the Language and share it.
func New(cost uint64) (*Language, error) {
	if cost == 0 {
		return nil, errors.New("expression language: a cost limit of 0")
	}
	reg, err := newRegistry()
	if err != nil {
		return nil, err
	}
	l := &Language{reg: reg, cost: cost, envs: map[place]*env{}}
	vars, err := l.declare()
	if err != nil {
		return nil, err
	}
	base, err := l.base()
	if err != nil {
		return nil, err
	}
	for _, p := range []place{{events.WorkOrder, false}, {events.WorkOrder, true}, {events.Opportunity, false}, {events.Opportunity, true}} {
		if l.envs[p], err = l.extend(base, p, vars); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// declare gives every variable its type.
func (l *Language) declare() (map[string]*cel.Type, error) {
	vars := map[string]*cel.Type{varFetchedAt: cel.TimestampType}
	for _, v := range []struct {
		name string
		t    reflect.Type
	}{
		{varFlow, reflect.TypeFor[weiban.ProcessingFlow]()},
		{varWorkOrder, reflect.TypeFor[weiban.WorkOrder]()},
		{varOpportunity, reflect.TypeFor[weiban.Opportunity]()},
		{varCallback, reflect.TypeFor[facts.Callback]()},
		{varEvent, reflect.TypeFor[facts.Event]()},
		{varBill, reflect.TypeFor[Bill]()},
		{varRaw, reflect.TypeFor[facts.Raw]()},
	} {
		o, err := l.reg.declare(v.name, v.t)
		if err != nil {
			return nil, fmt.Errorf("declare %s: %w", v.name, err)
		}
		vars[v.name] = o.typ
	}
	return vars, nil
}

func (l *Language) base() (*cel.Env, error) {
	china, err := China()
	if err != nil {
		return nil, err
	}
	opts := []cel.EnvOption{
		cel.CustomTypeProvider(l.reg),
		cel.CustomTypeAdapter(l.reg),
		cel.OptionalTypes(),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(MaxSource),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxNested),
		),
	}
	opts = slices.Concat(opts, bound(), times(china), texts(), decimals())
	e, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("expression language: %w", err)
	}
	return e, nil
}

func (l *Language) extend(base *cel.Env, p place, all map[string]*cel.Type) (*env, error) {
	e := &env{variables: map[string]*cel.Type{}, reg: l.reg}
	var opts []cel.EnvOption
	for name, t := range all {
		other := name == varOpportunity && p.noun != events.Opportunity || name == varWorkOrder && p.noun != events.WorkOrder ||
			name == varFlow && p.noun != events.WorkOrder || name == varBill && !p.bill
		if !other {
			e.variables[name] = t
			opts = append(opts, cel.Variable(name, t))
		}
	}
	var err error
	if e.cel, err = base.Extend(opts...); err != nil {
		return nil, fmt.Errorf("expression language for %s: %w", p.noun, err)
	}
	return e, nil
}
