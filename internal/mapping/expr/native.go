package expr

import (
	"encoding/json"
	"fmt"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Bounds of a result: handle-order has nothing near them.
const (
	maxElements = 1000
	maxLevels   = 5
)

// native turns a result into what JSON knows. want is the kind that the place
// takes: a number becomes a text there where a text is wanted, as that loses
// nothing.
func native(v ref.Val, want Kind) (any, error) {
	out, err := plain(v, maxLevels)
	if err != nil || out == nil {
		return nil, err
	}
	switch x := out.(type) {
	case string:
		if want == Text {
			return x, nil
		}
	case json.Number:
		switch want {
		case Text:
			return x.String(), nil
		case Number:
			return x, nil
		}
	case bool:
		if want == Bool {
			return x, nil
		}
	case []any:
		if want == List {
			return x, nil
		}
	case map[string]any:
		if want == Object {
			return x, nil
		}
	}
	return nil, fmt.Errorf("gives %s where a %s is wanted", kindName(v.Type().(*types.Type)), want)
}

// plain is a value without CEL's types; nil for null and optional.none().
func plain(v ref.Val, levels int) (any, error) {
	if levels == 0 {
		return nil, fmt.Errorf("gives more than %d levels of lists and objects", maxLevels)
	}
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), nil
	case number:
		return json.Number(v.d.String()), nil
	case types.Bool:
		return bool(v), nil
	case types.Null:
		return nil, nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return plain(v.GetValue(), levels-1)
	case traits.Lister:
		return plainList(v, levels-1)
	case traits.Mapper:
		return plainMap(v, levels-1)
	}
	return nil, fmt.Errorf("gives a %s, which JSON does not know", v.Type().TypeName())
}

func plainList(v traits.Lister, levels int) (any, error) {
	out := []any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		x, err := plain(it.Next(), levels)
		if err != nil {
			return nil, err
		}
		if len(out) == maxElements {
			return nil, fmt.Errorf("gives a list of more than %d", maxElements)
		}
		if x != nil {
			out = append(out, x)
		}
	}
	return out, nil
}

func plainMap(v traits.Mapper, levels int) (any, error) {
	out := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.(types.String)
		if !ok {
			return nil, fmt.Errorf("gives an object with a key that is no text")
		}
		x, err := plain(v.Get(k), levels)
		if err != nil {
			return nil, err
		}
		if len(out) == maxElements {
			return nil, fmt.Errorf("gives an object of more than %d members", maxElements)
		}
		if x != nil {
			out[string(name)] = x
		}
	}
	return out, nil
}
