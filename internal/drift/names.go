package drift

import "strings"

const (
	maxName = 40      // bytes of a member's name that is said
	hidden  = "<key>" // in place of a name that looks like data
)

// shown is a member's name if it looks like one of the vendor's, else "<key>": an
// object's keys may be ids or words of customers. A name that differs from a
// known one in case and underscores alone is the vendor's, too.
func shown(name string, known map[string]*node) string {
	if vendors(name) {
		return name
	}
	if len(name) <= maxName {
		for k := range known {
			if strings.EqualFold(strings.ReplaceAll(k, "_", ""), strings.ReplaceAll(name, "_", "")) {
				return name
			}
		}
	}
	return hidden
}

// vendors says whether a name has the form of both vendors' names: it begins
// with a small letter, is not long, and has few capitals and digits.
func vendors(name string) bool {
	if name == "" || len(name) > maxName || name[0] != '_' && (name[0] < 'a' || name[0] > 'z') {
		return false
	}
	capitals, digits := 0, 0
	for _, c := range []byte(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			capitals++
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return capitals <= 4 && digits <= 3
}
