package expr

import (
	"fmt"
	"reflect"

	"gongdan-bridge/internal/textfile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/shopspring/decimal"
)

// number is an exact decimal in an expression. CEL's own double never reaches
// a bill: 0.1 + 0.2 must be 0.3 there.
type number struct{ d decimal.Decimal }

// Bounds of a decimal: what it may hold and how finely it divides.
const (
	maxDecimalText  = 40
	maxDecimalScale = 60 // digits of exponent either way
	divisionPlaces  = 10
)

func parseDecimal(text string) ref.Val {
	if len(text) > maxDecimalText {
		return failed(Missing{Word: textfile.Shorten(text), Reason: "a number of more than 40 characters"})
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return failed(Missing{Word: textfile.Shorten(text), Reason: "not a number"})
	}
	return bounded(d)
}

// bounded refuses what repeated multiplication could make arbitrarily long.
func bounded(d decimal.Decimal) ref.Val {
	if d.Exponent() < -maxDecimalScale || d.Exponent() > maxDecimalScale || d.NumDigits() > maxDecimalScale {
		return failed(Missing{Reason: "a number of more than 60 digits"})
	}
	return number{d: d}
}

func decimalOf(v ref.Val) (decimal.Decimal, ref.Val) {
	switch v := v.(type) {
	case number:
		return v.d, nil
	case types.Int:
		return decimal.NewFromInt(int64(v)), nil
	case types.String:
		n := parseDecimal(string(v))
		if d, ok := n.(number); ok {
			return d.d, nil
		}
		return decimal.Decimal{}, n
	}
	return decimal.Decimal{}, types.MaybeNoSuchOverloadErr(v)
}

// ConvertToNative gives the decimal itself or its text.
func (n number) ConvertToNative(t reflect.Type) (any, error) {
	switch {
	case reflect.TypeFor[decimal.Decimal]().AssignableTo(t):
		return n.d, nil
	case t.Kind() == reflect.String:
		return reflect.ValueOf(n.d.String()).Convert(t).Interface(), nil
	}
	return nil, fmt.Errorf("a decimal is not a %s", t)
}

// ConvertToType is string(), int() of a whole number, and type().
func (n number) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.StringType:
		return types.String(n.d.String())
	case types.TypeType:
		return decimalType
	case types.IntType:
		if n.d.IsInteger() && n.d.BigInt().IsInt64() {
			return types.Int(n.d.IntPart())
		}
		return failed(Missing{Word: n.d.String(), Reason: "not a whole number"})
	}
	if t.TypeName() == decimalName {
		return n
	}
	return types.NewErr("a decimal is not a %s", t.TypeName())
}

// Equal compares values: 1.50 equals 1.5 and the int 1 equals 1.0.
func (n number) Equal(other ref.Val) ref.Val {
	switch o := other.(type) {
	case number:
		return types.Bool(n.d.Equal(o.d))
	case types.Int:
		return types.Bool(n.d.Equal(decimal.NewFromInt(int64(o))))
	}
	return types.False
}

// Compare makes < and > work.
func (n number) Compare(other ref.Val) ref.Val {
	o, bad := decimalOf(other)
	if bad != nil {
		return bad
	}
	return types.Int(n.d.Cmp(o))
}

// Type is the decimal type.
func (n number) Type() ref.Type { return decimalType }

// Value is the decimal.
func (n number) Value() any { return n.d }

const decimalName = "decimal"

// decimalType is never changed.
var decimalType = types.NewOpaqueType(decimalName).WithTraits(traits.ComparerType)

// decimals declares the exact arithmetic: every argument may be a decimal, an
// int or a text of digits.
func decimals() []cel.EnvOption {
	dec := decimalType
	plus := func(a, b decimal.Decimal) ref.Val { return bounded(a.Add(b)) }
	minus := func(a, b decimal.Decimal) ref.Val { return bounded(a.Sub(b)) }
	times := func(a, b decimal.Decimal) ref.Val { return bounded(a.Mul(b)) }
	to := func(t ref.Type) cel.OverloadOpt {
		return cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(t) })
	}
	opts := []cel.EnvOption{
		arithmetic("add", plus), arithmetic("sub", minus), arithmetic("mul", times), arithmetic("div", divide),
		cel.Function("decimal", conversions(func(a ref.Val) ref.Val {
			d, bad := decimalOf(a)
			if bad != nil {
				return bad
			}
			return bounded(d)
		})...),
		cel.Function("round", rounding()...),
		cel.Function(overloads.TypeConvertString, cel.Overload("decimal_to_string", []*cel.Type{dec}, cel.StringType, to(types.StringType))),
		cel.Function(overloads.TypeConvertInt, cel.Overload("decimal_to_int", []*cel.Type{dec}, cel.IntType, to(types.IntType))),
	}
	for _, op := range []string{operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals} {
		for _, right := range []*cel.Type{dec, cel.IntType} {
			opts = append(opts, cel.Function(op,
				cel.Overload(op+"decimal_"+right.String(), []*cel.Type{dec, right}, cel.BoolType)))
		}
	}
	return opts
}

func divide(a, b decimal.Decimal) ref.Val {
	if b.IsZero() {
		return failed(Missing{Reason: "a division by zero"})
	}
	return bounded(a.DivRound(b, divisionPlaces))
}

func numeric() []*cel.Type { return []*cel.Type{decimalType, cel.IntType, cel.StringType} }

func arithmetic(name string, op func(a, b decimal.Decimal) ref.Val) cel.EnvOption {
	binding := func(l, r ref.Val) ref.Val {
		a, bad := decimalOf(l)
		if bad != nil {
			return bad
		}
		b, bad := decimalOf(r)
		if bad != nil {
			return bad
		}
		return op(a, b)
	}
	var opts []cel.FunctionOpt
	for _, l := range numeric() {
		for _, r := range numeric() {
			opts = append(opts, cel.Overload(name+"_"+l.String()+"_"+r.String(),
				[]*cel.Type{l, r}, decimalType, cel.BinaryBinding(binding)))
		}
	}
	return cel.Function(name, opts...)
}

func conversions(binding func(ref.Val) ref.Val) []cel.FunctionOpt {
	var opts []cel.FunctionOpt
	for _, t := range numeric() {
		opts = append(opts, cel.Overload("decimal_of_"+t.String(), []*cel.Type{t}, decimalType, cel.UnaryBinding(binding)))
	}
	return opts
}

func rounding() []cel.FunctionOpt {
	binding := func(v, places ref.Val) ref.Val {
		d, bad := decimalOf(v)
		if bad != nil {
			return bad
		}
		n, ok := places.(types.Int)
		if !ok || n < 0 || n > divisionPlaces {
			return failed(Missing{Reason: "round takes 0 to 10 places"})
		}
		return bounded(d.Round(int32(n)))
	}
	var opts []cel.FunctionOpt
	for _, t := range numeric() {
		opts = append(opts, cel.Overload("round_"+t.String(),
			[]*cel.Type{t, cel.IntType}, decimalType, cel.BinaryBinding(binding)))
	}
	return opts
}
