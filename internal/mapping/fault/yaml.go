package fault

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// YAML words an error of the YAML reader as a fault of that file.
func YAML(file string, err error) Fault {
	f := Fault{File: file, Message: "not YAML: " + err.Error()}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return f
	}
	f.Line, f.Column = le.Mark.Line, le.Mark.Column
	f.Message = "not YAML: " + strings.TrimSpace(le.Message)
	if f.Line == 0 {
		f.Line, f.Column = le.ContextMark.Line, le.ContextMark.Column
	}
	return f
}
