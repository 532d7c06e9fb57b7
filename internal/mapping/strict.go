package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"gongdan-bridge/internal/textfile"
)

// exampleKeys are what an example's file may hold, wherever in it.
func exampleKeys() []string {
	return []string{"name", "event", "bill", "expect", "rule", "late", "body", "ignored", "failure", "field", "word", "orderNo", "id"}
}

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

// strict decodes JSON into v and refuses members that v does not have.
func strict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
			text := fmt.Sprintf("unknown key %q", m[1])
			if near := textfile.Nearest(m[1], exampleKeys()); near != "" {
				text += fmt.Sprintf("; expected %q", near)
			}
			return errors.New(text)
		}
		return fmt.Errorf("not an example: %w", err)
	}
	return nil
}
