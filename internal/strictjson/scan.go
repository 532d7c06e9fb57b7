package strictjson

import (
	"bytes"
	"encoding/json"
)

// scanner walks the text once and allocates only for the keys of large objects.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) fault(what string) error { return &Error{Offset: int64(s.i), Fault: what} }

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek is the next byte that is not white space, or an error at the end.
func (s *scanner) peek() (byte, error) {
	s.space()
	if s.i == len(s.b) {
		return 0, s.fault(early)
	}
	return s.b[s.i], nil
}

const (
	early   = "ends too early"
	notJSON = "not JSON"
)

func (s *scanner) value(depth int) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch {
	case c == '{' || c == '[':
		if depth >= MaxDepth {
			return s.fault("too deep")
		}
		s.i++
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	default:
		return s.word()
	}
}

func (s *scanner) word() error {
	for _, w := range [...]string{"true", "false", "null"} {
		rest := s.b[s.i:]
		if bytes.HasPrefix(rest, []byte(w)) {
			s.i += len(w)
			return nil
		}
		if len(rest) < len(w) && bytes.HasPrefix([]byte(w), rest) {
			s.i = len(s.b)
			return s.fault(early)
		}
	}
	return s.fault(notJSON)
}

func (s *scanner) array(depth int) error {
	c, err := s.peek()
	if err == nil && c == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch s.i++; c {
		case ',':
		case ']':
			return nil
		default:
			return s.fault(notJSON)
		}
	}
}

func (s *scanner) object(depth int) error {
	var k keys
	c, err := s.peek()
	if err == nil && c == '}' {
		s.i++
		return nil
	}
	for {
		if c, err = s.peek(); err != nil {
			return err
		}
		if c != '"' {
			return s.fault(notJSON)
		}
		raw, err := s.text()
		if err != nil {
			return err
		}
		if k.twice(raw) {
			return s.fault("duplicate key")
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c != ':' {
			return s.fault(notJSON)
		}
		s.i++
		if err := s.value(depth); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		switch s.i++; c {
		case ',':
		case '}':
			return nil
		default:
			return s.fault(notJSON)
		}
	}
}

// text passes a string and returns what stands between its quotes.
func (s *scanner) text() ([]byte, error) {
	s.i++
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], nil
		case c < ' ':
			return nil, s.fault(notJSON)
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		default:
			s.i++
		}
	}
	return nil, s.fault(early)
}

func (s *scanner) escape() error {
	rest := s.b[s.i+1:]
	if len(rest) == 0 {
		s.i = len(s.b)
		return s.fault(early)
	}
	if rest[0] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), rest[0]) < 0 {
			return s.fault(notJSON)
		}
		s.i += 2
		return nil
	}
	for n := 1; n <= 4; n++ {
		if n == len(rest) {
			s.i = len(s.b)
			return s.fault(early)
		}
		if c := rest[n] | 0x20; (c < '0' || c > '9' || rest[n] < '0') && (c < 'a' || c > 'f') {
			return s.fault(notJSON)
		}
	}
	s.i += 6
	return nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}

func (s *scanner) at(set string) bool {
	return s.i < len(s.b) && bytes.IndexByte([]byte(set), s.b[s.i]) >= 0
}

// number passes a number token and bounds it.
func (s *scanner) number() error {
	start := s.i
	if s.at("-") {
		s.i++
	}
	zero := s.at("0")
	n := s.digits()
	if n == 0 || zero && n > 1 {
		return s.short(n)
	}
	if s.at(".") {
		s.i++
		if s.digits() == 0 {
			return s.short(0)
		}
	}
	var exponent []byte
	if s.at("eE") {
		s.i++
		if s.at("+-") {
			s.i++
		}
		from := s.i
		if s.digits() == 0 {
			return s.short(0)
		}
		exponent = s.b[from:s.i]
	}
	if magnitude(exponent) > MaxExponent {
		return s.fault("exponent too large")
	}
	if s.i-start > MaxNumber {
		return s.fault("number too long")
	}
	return nil
}

// short is the fault of a number whose digits are missing or begin with 0.
func (s *scanner) short(digits int) error {
	if digits == 0 && s.i == len(s.b) {
		return s.fault(early)
	}
	return s.fault(notJSON)
}

func magnitude(digits []byte) int {
	m := 0
	for _, c := range digits {
		if m = m*10 + int(c-'0'); m > MaxExponent {
			return m
		}
	}
	return m
}

// keys are the keys of one object: compared one by one while they are few.
type keys struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

// twice reports whether the key, as it stands between its quotes, was there
// before, and remembers it.
func (k *keys) twice(raw []byte) bool {
	key := string(raw)
	if bytes.IndexByte(raw, '\\') >= 0 {
		// The text has been scanned, so it can be decoded.
		_ = json.Unmarshal([]byte(`"`+key+`"`), &key)
	}
	if k.many != nil {
		_, seen := k.many[key]
		k.many[key] = struct{}{}
		return seen
	}
	for _, have := range k.few[:k.n] {
		if have == key {
			return true
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return false
	}
	k.many = map[string]struct{}{key: {}}
	for _, have := range k.few {
		k.many[have] = struct{}{}
	}
	return false
}
