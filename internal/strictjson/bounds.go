package strictjson

import "bytes"

// bounds looks at how deep b is nested and at how long its numbers are. It may
// be asked of anything; where b is JSON it sees all of it.
func bounds(b []byte) error {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return &Error{Offset: int64(i), Fault: "too deep"}
			}
		case c == '}' || c == ']':
			depth--
		case c == '"':
			i += text(b[i+1:])
		case c == '-' || c >= '0' && c <= '9':
			n, err := number(b[i:])
			if err != nil {
				err.Offset = int64(i)
				return err
			}
			i += n - 1
		}
	}
	return nil
}

// text is how much of b a string takes, its closing quote included.
func text(b []byte) int {
	for from := 0; ; {
		at := bytes.IndexByte(b[from:], '"')
		if at < 0 {
			return len(b)
		}
		at += from
		escapes := at - len(bytes.TrimRight(b[from:at], `\`)) - from
		if from = at + 1; escapes%2 == 0 {
			return from
		}
	}
}

// number is how long the number is that b begins with, or what bound it breaks.
func number(b []byte) (int, *Error) {
	exponent, inExponent := 0, false
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			if inExponent {
				exponent = min(exponent*10+int(c-'0'), MaxExponent+1)
			}
		case c == 'e' || c == 'E':
			inExponent = true
		case c != '+' && c != '-' && c != '.':
			return i, inBounds(i, exponent)
		}
	}
	return len(b), inBounds(len(b), exponent)
}

func inBounds(length, exponent int) *Error {
	switch {
	case exponent > MaxExponent:
		return &Error{Fault: "exponent too large"}
	case length > MaxNumber:
		return &Error{Fault: "number too long"}
	}
	return nil
}
