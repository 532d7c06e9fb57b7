package expr

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gongdan-bridge/internal/mapping/facts"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/textfile"
)

// Bill is variable `bill`: the Kingdee service work order (服务工单), known once
// `bill:` has been worked out and the order found.
type Bill struct {
	ID      string `json:"id"`      // 服务工单单据id
	OrderNo string `json:"orderNo"` // 服务工单单据编码
}

// Scope is what one event's expressions see: the variables, and the functions
// that depend on the event and the tables. It serves one goroutine.
type Scope struct {
	facts  *facts.Facts
	tables []table.Tables // asked in this order
	reg    *registry
	vars   map[string]any
}

// Scope makes what the expressions of one event see. Tables are asked in order:
// the ones that operators fill while running before the mapping's own.
func (l *Language) Scope(f *facts.Facts, tables ...table.Tables) *Scope {
	s := &Scope{facts: f, reg: l.reg, vars: make(map[string]any, 8)}
	for _, t := range tables {
		if t != nil {
			s.tables = append(s.tables, t)
		}
	}
	set(s, varEvent, &f.Event)
	set(s, varCallback, &f.Callback)
	set(s, varRaw, &f.Raw)
	set(s, varFlow, f.Flow)
	if f.WorkOrder != nil {
		set(s, varWorkOrder, f.WorkOrder)
	}
	if f.Opportunity != nil {
		set(s, varOpportunity, f.Opportunity)
	}
	s.vars[varFetchedAt] = types.Timestamp{Time: f.FetchedAt}
	return s
}

// SetBill makes variable `bill` known.
func (s *Scope) SetBill(b Bill) { set(s, varBill, &b) }

func set[T any](s *Scope, name string, v *T) {
	if v == nil {
		s.vars[name] = types.NullValue
		return
	}
	s.vars[name] = &instance{o: s.reg.byType[reflect.TypeFor[T]()], v: reflect.ValueOf(v)}
}

// ResolveName makes the scope a cel.Activation.
func (s *Scope) ResolveName(name string) (any, bool) {
	v, ok := s.vars[name]
	return v, ok
}

// Parent is none.
func (s *Scope) Parent() cel.Activation { return nil }

// ResolveFunction makes the scope a cel.FunctionActivation.
func (s *Scope) ResolveFunction(name string) (cel.LateBoundFunction, bool) {
	switch name {
	case "component":
		return s.component, true
	case "componentOr":
		return s.componentOr, true
	case "components":
		return s.components, true
	case "lookup":
		return s.lookup, true
	case "lookupOr":
		return s.lookupOr, true
	case "flowStart":
		return s.flowTime((*facts.Facts).Began), true
	case "flowEnd":
		return s.flowTime((*facts.Facts).Ended), true
	case "fail":
		return func(_ string, args ...ref.Val) ref.Val { return failed(Missing{Reason: text(args[0])}) }, true
	case "picturesBefore":
		return s.pictures((*facts.Facts).Before), true
	case "picturesAfter":
		return s.pictures((*facts.Facts).After), true
	}
	return nil, false
}

// bound declares the functions that a scope carries out.
func bound() []cel.EnvOption {
	str, strs := cel.StringType, cel.ListType(cel.StringType)
	pics := cel.ListType(cel.MapType(str, str))
	late := func(name string, result *cel.Type, overloads ...[]*cel.Type) cel.EnvOption {
		var opts []cel.FunctionOpt
		for _, args := range overloads {
			id := name
			for _, a := range args {
				id += "_" + a.String()
			}
			opts = append(opts, cel.Overload(id, args, result, cel.LateFunctionBinding()))
		}
		return cel.Function(name, opts...)
	}
	return []cel.EnvOption{
		late("component", str, []*cel.Type{str}),
		late("componentOr", str, []*cel.Type{str, str}),
		late("components", strs, []*cel.Type{str}),
		late("lookup", str, []*cel.Type{str, str}, []*cel.Type{str, str, str}),
		late("lookupOr", str, []*cel.Type{str, str, str}, []*cel.Type{str, str, str, str}),
		late("flowStart", cel.TimestampType, []*cel.Type{str}),
		late("flowEnd", cel.TimestampType, []*cel.Type{str}),
		late("fail", cel.DynType, []*cel.Type{str}),
		late("picturesBefore", pics, nil),
		late("picturesAfter", pics, nil),
		cel.Function("pictures", cel.Overload("pictures_list", []*cel.Type{strs}, pics, cel.UnaryBinding(picturesOf))),
	}
}

func (s *Scope) component(_ string, args ...ref.Val) ref.Val {
	a, err := s.facts.Answer(text(args[0]))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.String(a)
}

func (s *Scope) componentOr(_ string, args ...ref.Val) ref.Val {
	a, err := s.facts.AnswerOr(text(args[0]), text(args[1]))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.String(a)
}

func (s *Scope) components(_ string, args ...ref.Val) ref.Val {
	a, err := s.facts.Answers(text(args[0]))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.NewStringList(s.reg, a)
}

func (s *Scope) lookup(_ string, args ...ref.Val) ref.Val {
	column := ""
	if len(args) == 3 {
		column = text(args[2])
	}
	v, err := s.find(text(args[0]), text(args[1]), column)
	if err != nil {
		if m := (*Missing)(nil); errors.As(err, &m) && m.Reason == "" && m.Column == "" {
			m.Like = textfile.Shorten(s.like(text(args[0]), text(args[1])))
		}
		return types.WrapErr(err)
	}
	return types.String(v)
}

func (s *Scope) lookupOr(_ string, args ...ref.Val) ref.Val {
	column := ""
	if len(args) == 4 {
		column = text(args[2])
	}
	v, err := s.find(text(args[0]), text(args[1]), column)
	if err != nil {
		return args[len(args)-1]
	}
	return types.String(v)
}

// find asks one table after the other; an empty cell is not an answer.
func (s *Scope) find(name, key, column string) (string, error) {
	key = strings.TrimSpace(key)
	if key == "" {
		return "", &Missing{Table: name, Reason: "the word to look up in table " + name + " is empty"}
	}
	m := &Missing{Table: name, Word: textfile.Shorten(key)}
	for _, t := range s.tables {
		row, ok := t.Lookup(name, key)
		if !ok {
			continue
		}
		v := row.Text()
		if column != "" {
			v, _ = row.Column(column)
		}
		if v != "" {
			return v, nil
		}
		m.Column = column
		if column == "" {
			m.Column = "value"
		}
	}
	return "", m
}

// like is a word of a table that differs from key in form alone, "" if there is none.
func (s *Scope) like(name, key string) string {
	for _, t := range s.tables {
		if t, ok := t.(interface{ Like(name, key string) string }); ok {
			if word := t.Like(name, key); word != "" {
				return word
			}
		}
	}
	return ""
}

func (s *Scope) flowTime(of func(*facts.Facts, string) (time.Time, error)) cel.LateBoundFunction {
	return func(_ string, args ...ref.Val) ref.Val {
		t, err := of(s.facts, text(args[0]))
		if err != nil {
			return types.WrapErr(err)
		}
		return types.Timestamp{Time: t}
	}
}

func (s *Scope) pictures(of func(*facts.Facts) ([]facts.Picture, error)) cel.LateBoundFunction {
	return func(string, ...ref.Val) ref.Val {
		list, err := of(s.facts)
		if err != nil {
			return types.WrapErr(err)
		}
		return pictureList(list)
	}
}

func picturesOf(v ref.Val) ref.Val {
	addresses, err := v.ConvertToNative(reflect.TypeFor[[]string]())
	list, ok := addresses.([]string)
	if err != nil || !ok {
		return types.WrapErr(errors.New("pictures takes a list of addresses"))
	}
	return pictureList(facts.Pictures(list))
}

func pictureList(pics []facts.Picture) ref.Val {
	list := make([]ref.Val, len(pics))
	for i, p := range pics {
		list[i] = types.NewStringStringMap(types.DefaultTypeAdapter, map[string]string{"url": p.URL, "name": p.Name})
	}
	return types.NewRefValList(types.DefaultTypeAdapter, list)
}

// text is an argument that the declaration says is one.
func text(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}
