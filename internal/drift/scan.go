package drift

import "encoding/json"

// scanner steps over JSON. Whatever is not JSON makes it bad and ends it.
type scanner struct {
	b   []byte
	i   int
	bad bool
}

func (s *scanner) fail() {
	s.bad, s.i = true, len(s.b)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		if c := s.b[s.i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.i++
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		s.bad = true
		return 0
	}
	return s.b[s.i]
}

// formOf is the form of the value that begins with c.
func formOf(c byte) Forms {
	switch c {
	case '"':
		return Text
	case '{':
		return Object
	case '[':
		return List
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		return Number
	}
}

// closed steps to the next member of a list or object, or over its end.
func (s *scanner) closed(end byte, first *bool) bool {
	switch c := s.peek(); {
	case s.bad:
		return true
	case c == end:
		s.i++
		return true
	case *first:
		*first = false
		return false
	case c == ',':
		s.i++
		return false
	}
	s.fail()
	return true
}

// empty says whether the list that is next has nothing in it.
func (s *scanner) empty() bool {
	at := *s
	at.i++
	return at.peek() == ']'
}

// name steps over a member's name and the colon behind it.
func (s *scanner) name() []byte {
	name, escaped := s.text()
	if s.peek() != ':' {
		s.fail()
		return nil
	}
	s.i++
	if !escaped {
		return name
	}
	var plain string
	if json.Unmarshal([]byte(`"`+string(name)+`"`), &plain) != nil {
		s.fail()
		return nil
	}
	return []byte(plain)
}

// text steps over a string and gives what is between its quotes.
func (s *scanner) text() (between []byte, escaped bool) {
	if s.peek() != '"' {
		s.fail()
		return nil, false
	}
	s.i++
	for at := s.i; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[at : s.i-1], escaped
		case '\\':
			escaped = true
			s.i++
		}
	}
	s.fail()
	return nil, false
}

// skip steps over any value. Inside of it only quotes and brackets are looked
// at.
func (s *scanner) skip() {
	depth := 0
	for {
		switch c := s.peek(); c {
		case '"':
			s.text()
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			depth--
			s.i++
		case ',', ':':
			s.i++
		default:
			s.literal()
		}
		if s.bad || depth <= 0 {
			break
		}
	}
	if depth < 0 {
		s.fail()
	}
}

// shape steps over a value and names its form.
func (s *scanner) shape() Forms {
	f := formOf(s.peek())
	s.skip()
	return f
}

// literal steps over a number, a boolean or null.
func (s *scanner) literal() {
	at := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		plain := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
		if !plain {
			break
		}
		s.i++
	}
	if s.i == at {
		s.fail()
	}
}
