package expr

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/google/go-cmp/cmp"
)

// TestBounds: what could run away is stopped, and says so.
func TestBounds(t *testing.T) {
	list := "[" + strings.Repeat("1,", 99) + "1]"
	loops := list + `.map(a, ` + list + `.map(b, a + b).size()).size()`
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		ctx    context.Context
		cost   uint64
		source string
		want   string
	}{
		"cost":    {context.Background(), 1000, loops, "it costs too much"},
		"time":    {ended, 1 << 60, loops, "it takes too long"},
		"doubled": {context.Background(), Cost, `size([` + strings.Repeat(`"x",`, 30) + `"x"].map(a, ["` + strings.Repeat("y", 900) + `"].map(b, b + b + b + b + b + b + b + b)[0])) > 0 ? join([` + strings.Repeat(`"x",`, 30) + `"x"].map(a, "` + strings.Repeat("z", 3000) + `"), "") : ""`, "join makes a text of more than 64 KiB"},
	} {
		l, err := New(tt.cost)
		if err != nil {
			t.Fatal(err)
		}
		p, issues := l.Compile(tt.source, spec(Text))
		if issues != nil {
			t.Fatalf("%s: %v", name, issues)
		}
		if !p.Loops() {
			t.Errorf("%s: does not loop", name)
		}
		_, err = p.Eval(tt.ctx, scope(t, l, closing(t)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "doubled" && !errors.Is(err, ErrStopped) {
			t.Errorf("%s: not stopped: %v", name, err)
		}
	}
	long := `"` + strings.Repeat("x", 900) + `"`
	poor, err := New(100)
	if err != nil {
		t.Fatal(err)
	}
	p, issues := poor.Compile("work_order.title + "+long+" + "+long, spec(Text))
	if issues != nil || p.Loops() {
		t.Fatalf("a sum loops: %v", issues)
	}
	if _, err := p.Eval(context.Background(), scope(t, poor, closing(t))); !errors.Is(err, ErrStopped) {
		t.Errorf("a sum without a loop is not bounded: %v", err)
	}
	l := language(t)
	for name, source := range map[string]string{
		"length":   `"` + strings.Repeat("x", MaxSource) + `"`,
		"brackets": strings.Repeat("(", 200) + `"a"` + strings.Repeat(")", 200),
	} {
		if _, issues := l.Compile(source, spec(Text)); len(issues) == 0 {
			t.Errorf("%s: no issue", name)
		}
	}
}

// TestUses: the tables' questions, with where their words come from.
func TestUses(t *testing.T) {
	l := language(t)
	for source, want := range map[string][]Use{
		`lookup("staff", component("a"))`:                                        {{Table: "staff", Component: "a"}},
		`lookupOr("staff", trim(componentOr("a", "b")), "dept", "")`:             {{Table: "staff", Column: "dept", Component: "a"}},
		`lookup("staff", flow.to_id) + lookup("staff", "x")`:                     {{Table: "staff", Staff: true}, {Table: "staff"}},
		`join(callback.cc_list.map(c, lookup("staff", c)), "")`:                  {{Table: "staff", Staff: true}},
		`join(components("多选项").filter(c, lookupOr("staff", c, "") != ""), "、")`: {{Table: "staff", Component: "多选项"}},
		`work_order.title`: nil,
	} {
		p, issues := l.Compile(source, spec(Text))
		if issues != nil {
			t.Fatal(issues)
		}
		if diff := cmp.Diff(want, p.Uses); diff != "" {
			t.Errorf("%s\n%s", source, diff)
		}
	}
}

// TestInstance is an object where its type is not known to the plan.
func TestInstance(t *testing.T) {
	l := language(t)
	s := scope(t, l, closing(t))
	v, _ := s.ResolveName(varWorkOrder)
	i := v.(*instance)
	for _, tt := range []struct {
		got  ref.Val
		want any
	}{
		{i.Get(types.String("handler_id")), "LiHua"},
		{i.IsSet(types.String("handler_id")), true},
		{i.IsSet(types.String("stage_name")), false},
		{i.IsSet(types.String("nothing")), false},
		{i.Equal(types.String("x")), false},
		{i.Equal(i), true},
	} {
		if tt.got.Value() != tt.want {
			t.Errorf("%v, want %v", tt.got, tt.want)
		}
	}
	for _, bad := range []ref.Val{i.Get(types.String("nothing")), i.Get(types.Int(1)), i.ConvertToType(types.StringType)} {
		if !types.IsError(bad) {
			t.Errorf("no error but %v", bad)
		}
	}
	if i.ConvertToType(i.o.typ) != i || i.ConvertToType(types.TypeType) != i.o.typ {
		t.Error("not of its own type")
	}
}
