package fakeweiban

import (
	"encoding/json"
	"strconv"
)

// object is raw JSON as Weiban sends it; keys come out in byte order, which is
// also the order of Weiban's pages.
type object = map[string]any

// rounded is what becomes of a long id that went through a JavaScript number:
// 1653682321878942721 shows on Weiban's page as 1653682321878942700.
func rounded(id string) json.Number {
	f, err := strconv.ParseFloat(id, 64)
	if err != nil {
		return "0"
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

// list is s as a JSON list, never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// orNull is s as a JSON list, or null if it is empty.
func orNull(s []string) any {
	if len(s) == 0 {
		return nil
	}
	return s
}

// textOrNull is s, or null if it is empty.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
