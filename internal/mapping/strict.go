package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
)

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

// strict decodes JSON into v and refuses members that v does not have.
func strict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
			return fmt.Errorf("unknown key %q", m[1])
		}
		return fmt.Errorf("not an example: %w", err)
	}
	return nil
}
