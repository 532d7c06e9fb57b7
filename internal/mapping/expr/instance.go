package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// instance is a Go struct as an expression sees it: members by their json
// names, read when they are asked for.
type instance struct {
	o *object
	v reflect.Value // a pointer to the struct
}

// ConvertToNative hands out the Go pointer.
func (i *instance) ConvertToNative(t reflect.Type) (any, error) {
	if i.v.Type().AssignableTo(t) {
		return i.v.Interface(), nil
	}
	return nil, fmt.Errorf("%s is an object, not a %s", i.o.name, t)
}

// ConvertToType knows no conversion but type() itself.
func (i *instance) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return i.o.typ
	case i.o.typ:
		return i
	}
	return types.NewErr("%s is an object, not a %s", i.o.name, t.TypeName())
}

// Equal holds for the same struct with the same members.
func (i *instance) Equal(other ref.Val) ref.Val {
	o, ok := other.(*instance)
	return types.Bool(ok && o.o == i.o && reflect.DeepEqual(i.v.Interface(), o.v.Interface()))
}

// Type is the declared type.
func (i *instance) Type() ref.Type { return i.o.typ }

// Value is the Go pointer, which planned field access reads.
func (i *instance) Value() any { return i.v.Interface() }

// Get reads a member where the plan does not know the type.
func (i *instance) Get(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	f := i.o.fields[string(name)]
	if f == nil {
		return types.NewErr("no member %q in %s", string(name), i.o.name)
	}
	v, err := f.GetFrom(i.Value())
	if err != nil {
		return types.WrapErr(err)
	}
	return v.(ref.Val)
}

// IsSet tests a member where the plan does not know the type.
func (i *instance) IsSet(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	f := i.o.fields[string(name)]
	return types.Bool(f != nil && f.IsSet(i.Value()))
}
