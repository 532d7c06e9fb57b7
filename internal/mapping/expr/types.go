package expr

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/mapping/facts"
	"gongdan-bridge/internal/strictjson"
)

// registry declares Go structs to CEL by their json tags, so that a misspelt
// member is found when a mapping is loaded. Field access is planned once per
// expression: what is left for the evaluation is one reflect.Value.Field.
type registry struct {
	*types.Registry
	byName map[string]*object
	byType map[reflect.Type]*object
}

// object is one declared struct.
type object struct {
	name    string
	typ     *types.Type
	members []string // in the struct's order
	fields  map[string]*types.FieldType
}

// converter turns a Go value into a CEL one.
type converter func(reflect.Value) ref.Val

func newRegistry() (*registry, error) {
	r, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("expression types: %w", err)
	}
	return &registry{Registry: r, byName: map[string]*object{}, byType: map[reflect.Type]*object{}}, nil
}

// typePrefix keeps a type's name from being taken for the variable's.
const typePrefix = "type."

// declare makes struct type t known under name, and every struct that it holds
// under the name of the member that holds it.
func (r *registry) declare(name string, t reflect.Type) (*object, error) {
	if o := r.byType[t]; o != nil {
		return o, nil
	}
	for r.byName[typePrefix+name] != nil {
		name += "_"
	}
	o := &object{name: name, typ: types.NewObjectType(typePrefix + name), fields: map[string]*types.FieldType{}}
	r.byName[typePrefix+name], r.byType[t] = o, o
	return o, r.members(o, t, nil)
}

func (r *registry) members(o *object, t reflect.Type, path []int) error {
	for f := range t.Fields() {
		at := append(slices.Clone(path), f.Index...)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || f.PkgPath != "" && !f.Anonymous:
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			if err := r.members(o, f.Type, at); err != nil {
				return err
			}
			continue
		case name == "":
			name = f.Name
		}
		typ, conv, err := r.convert(name, f.Type)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", o.name, name, err)
		}
		o.members = append(o.members, name)
		o.fields[name] = field(o.name, name, at, typ, conv)
	}
	return nil
}

// field plans the access to one member of a struct that is held by pointer.
func field(object, name string, path []int, typ *types.Type, conv converter) *types.FieldType {
	at := func(v any) (reflect.Value, bool) {
		p := reflect.ValueOf(v)
		if p.Kind() != reflect.Pointer || p.IsNil() {
			return reflect.Value{}, false
		}
		return p.Elem().FieldByIndex(path), true
	}
	unread := func(v any) bool {
		o, ok := v.(interface{ IsUnread(string) bool })
		return ok && o.IsUnread(name)
	}
	return &types.FieldType{
		Type: typ,
		IsSet: func(v any) bool {
			f, ok := at(v)
			return ok && (!f.IsZero() || unread(v))
		},
		GetFrom: func(v any) (any, error) {
			f, ok := at(v)
			if !ok {
				return nil, absent(object, name)
			}
			if unread(v) {
				return nil, facts.NotRead(object + "." + name)
			}
			return conv(f), nil
		},
	}
}

// absent words the access to a member of something that is not there.
func absent(object, name string) error {
	if object == "flow" {
		return &Missing{Reason: "no flow row can be tied to this event, so flow." + name + " is not known"}
	}
	return &Missing{Reason: object + " is empty, so its " + name + " is not known"}
}

func (r *registry) convert(name string, t reflect.Type) (*types.Type, converter, error) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return cel.TimestampType, func(v reflect.Value) ref.Val {
			return moment(name, v.Interface().(time.Time))
		}, nil
	case reflect.TypeFor[weiban.Unix]():
		return cel.TimestampType, func(v reflect.Value) ref.Val {
			return moment(name, weiban.Unix(v.Int()).Time())
		}, nil
	case reflect.TypeFor[weiban.Decimal]():
		return decimalType, func(v reflect.Value) ref.Val {
			if v.String() == "" {
				return failed(Missing{Reason: name + " was not sent"})
			}
			return parseDecimal(v.String())
		}, nil
	case reflect.TypeFor[json.RawMessage]():
		return cel.DynType, func(v reflect.Value) ref.Val { return rawValue(r, v.Bytes()) }, nil
	}
	switch t.Kind() {
	case reflect.String:
		return cel.StringType, func(v reflect.Value) ref.Val { return types.String(v.String()) }, nil
	case reflect.Bool:
		return cel.BoolType, func(v reflect.Value) ref.Val { return types.Bool(v.Bool()) }, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return cel.IntType, func(v reflect.Value) ref.Val { return types.Int(v.Int()) }, nil
	case reflect.Struct:
		o, err := r.declare(name, t)
		if err != nil {
			return nil, nil, err
		}
		return o.typ, func(v reflect.Value) ref.Val { return &instance{o: o, v: v.Addr()} }, nil
	case reflect.Slice:
		return r.slice(name, t)
	}
	return nil, nil, fmt.Errorf("no expression type for Go's %s", t)
}

// moment is a time that was sent; one that was not is no year 1 or 1970.
func moment(name string, t time.Time) ref.Val {
	if t.IsZero() {
		return failed(Missing{Reason: name + " was not sent"})
	}
	return types.Timestamp{Time: t}
}

func (r *registry) slice(name string, t reflect.Type) (*types.Type, converter, error) {
	typ, conv, err := r.convert(name, t.Elem())
	if err != nil {
		return nil, nil, err
	}
	return cel.ListType(typ), func(v reflect.Value) ref.Val {
		list := make([]ref.Val, v.Len())
		for i := range list {
			list[i] = conv(v.Index(i))
		}
		return types.NewRefValList(r, list)
	}, nil
}

// rawValue decodes JSON of unknown shape: whole numbers become int, others
// decimals, never floats.
func rawValue(a types.Adapter, b []byte) ref.Val {
	if len(b) == 0 {
		return types.NullValue
	}
	v, err := strictjson.Decode(b)
	if err != nil {
		return types.WrapErr(&Missing{Reason: "not readable: " + err.Error()})
	}
	return a.NativeToValue(v)
}

// NativeToValue makes the registry a types.Adapter for what decoded JSON holds.
func (r *registry) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case ref.Val:
		return v
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return types.Int(i)
		}
		return parseDecimal(v.String())
	case []any:
		return types.NewDynamicList(r, v)
	case map[string]any:
		return types.NewStringInterfaceMap(r, v)
	}
	return r.Registry.NativeToValue(v)
}

// FindStructType makes the registry a types.Provider.
func (r *registry) FindStructType(name string) (*types.Type, bool) {
	if o := r.byName[name]; o != nil {
		return types.NewTypeTypeWithParam(o.typ), true
	}
	return r.Registry.FindStructType(name)
}

// FindStructFieldNames is the members of a declared struct.
func (r *registry) FindStructFieldNames(name string) ([]string, bool) {
	if o := r.byName[name]; o != nil {
		return o.members, true
	}
	return r.Registry.FindStructFieldNames(name)
}

// FindStructFieldType is the type of and the way to a member.
func (r *registry) FindStructFieldType(name, member string) (*types.FieldType, bool) {
	o := r.byName[name]
	if o == nil {
		return r.Registry.FindStructFieldType(name, member)
	}
	f, ok := o.fields[member]
	return f, ok
}
