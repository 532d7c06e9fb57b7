package textfile

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// quoted is what the YAML reader repeats of the file. It may be the beginning of a
// secret: *x reads as an alias.
var quoted = regexp.MustCompile(`'[^' ]{3,}'`)

// syntax words an error of the YAML reader as a fault of that file.
func syntax(file string, err error) Fault {
	f := Fault{File: file, Message: "not YAML: " + err.Error()}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return f
	}
	f.Line, f.Column = le.Mark.Line, le.Mark.Column
	f.Message = "not YAML: " + strings.TrimPrefix(strings.TrimSpace(quoted.ReplaceAllString(le.Message, "'…'")), "yaml: ")
	switch {
	case strings.Contains(le.Message, "no documents in stream"):
		f.Message = "the file is empty"
	case strings.Contains(le.Message, "found multiple"):
		f.Message, f.Expected = "the file holds more than one document", "no line of ---"
	}
	if f.Line == 0 {
		f.Line, f.Column = le.ContextMark.Line, le.ContextMark.Column
	}
	return f
}
