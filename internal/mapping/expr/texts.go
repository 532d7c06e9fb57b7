package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/rivo/uniseg"
	"github.com/shopspring/decimal"
)

// maxText bounds every text that a helper makes, in bytes: nesting them cannot
// fill the memory.
const maxText = 64 << 10

// texts declares what expressions do with texts. CEL's own string library is
// left out: several of its functions can multiply a text without bound.
func texts() []cel.EnvOption {
	str, list := cel.StringType, cel.ListType(cel.StringType)
	return []cel.EnvOption{
		cel.Function("cut",
			cel.Overload("cut_string_int", []*cel.Type{str, cel.IntType}, str, cel.BinaryBinding(cut))),
		cel.Function("trim",
			cel.Overload("trim_string", []*cel.Type{str}, str, cel.UnaryBinding(func(v ref.Val) ref.Val {
				return types.String(strings.TrimSpace(string(v.(types.String))))
			}))),
		cel.Function("replace",
			cel.Overload("replace_string_string_string", []*cel.Type{str, str, str}, str, cel.FunctionBinding(replace))),
		cel.Function("split",
			cel.Overload("split_string_string", []*cel.Type{str, str}, list, cel.BinaryBinding(split))),
		cel.Function("join",
			cel.Overload("join_list_string", []*cel.Type{list, str}, str, cel.BinaryBinding(join))),
		cel.Function("progress",
			cel.Overload("progress_int", []*cel.Type{cel.IntType}, str, cel.UnaryBinding(progress)),
			cel.Overload("progress_int_int", []*cel.Type{cel.IntType, cel.IntType}, str, cel.BinaryBinding(progressOf))),
	}
}

// cut keeps at most n characters as a reader counts them: a letter and the marks
// that belong to it are one.
func cut(v, limit ref.Val) ref.Val {
	s, n := string(v.(types.String)), int64(limit.(types.Int))
	if n < 0 {
		return failed(Missing{Reason: "cut takes a length of 0 or more"})
	}
	return types.String(Cut(s, n))
}

// Cut keeps at most n characters of s. A letter with its combining marks is one, and so
// is a picture of several code points (a family, a flag).
func Cut(s string, n int64) string {
	if int64(len(s)) <= n {
		return s
	}
	end, rest, state := 0, s, -1
	for ; n > 0 && rest != ""; n-- {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		end += len(cluster)
	}
	return s[:end]
}

func replace(args ...ref.Val) ref.Val {
	s, old, repl := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	if old == "" {
		return types.String(s)
	}
	if len(s)+strings.Count(s, old)*(len(repl)-len(old)) > maxText {
		return tooLong("replace")
	}
	return types.String(strings.ReplaceAll(s, old, repl))
}

func split(v, sep ref.Val) ref.Val {
	s, by := string(v.(types.String)), string(sep.(types.String))
	if by == "" {
		return failed(Missing{Reason: "split takes a separator that is not empty"})
	}
	var parts []string
	for p := range strings.SplitSeq(s, by) {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return types.NewStringList(types.DefaultTypeAdapter, parts)
}

func join(v, sep ref.Val) ref.Val {
	list, by := v.(traits.Lister), string(sep.(types.String))
	var b strings.Builder
	first := true
	for it := list.Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join takes a list of texts")
		}
		if !first {
			b.WriteString(by)
		}
		first = false
		b.WriteString(string(s))
		if b.Len() > maxText {
			return tooLong("join")
		}
	}
	return types.String(b.String())
}

func tooLong(helper string) ref.Val {
	return failed(Missing{Reason: fmt.Sprintf("%s makes a text of more than %d KiB", helper, maxText>>10)})
}

// progress writes a completion (完成进度) as Kingdee takes it: whole percent.
func progress(v ref.Val) ref.Val {
	n := v.(types.Int)
	if n < 0 || n > 100 {
		return failed(Missing{Word: fmt.Sprint(int64(n)), Reason: "progress takes 0 to 100"})
	}
	return types.String(fmt.Sprint(int64(n)))
}

// progressOf is step s of n steps in percent, rounded down, at most 100.
func progressOf(step, steps ref.Val) ref.Val {
	s, n := step.(types.Int), steps.(types.Int)
	if s < 0 || n < 1 {
		return failed(Missing{Reason: "progress takes a step of at least 0 out of at least 1"})
	}
	d := decimal.NewFromInt(int64(s)).Mul(decimal.NewFromInt(100)).Div(decimal.NewFromInt(int64(n))).Floor()
	if hundred := decimal.NewFromInt(100); d.GreaterThan(hundred) {
		d = hundred
	}
	return types.String(d.String())
}
