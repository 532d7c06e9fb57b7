package config

import (
	"strings"

	"gongdan-bridge/internal/textfile"
)

// EnvFile reads a file of variables as systemd and Docker read one: NAME=value a line, blank lines and
// lines that begin with # left out, quotes around a value taken off. What it gives is asked where env
// has no such variable. The error is a [textfile.Faults] that repeats no value.
func EnvFile(path string, env func(string) (string, bool)) (func(string) (string, bool), error) {
	text, err := readFile(path)
	if err != nil {
		return nil, textfile.Faults{{File: path, Message: "cannot be read", Expected: "a file with NAME=value a line"}}
	}
	var faults textfile.List
	values := map[string]string{}
	lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export "))
		if !ok || !isVariable(name) {
			faults.Add(textfile.Fault{File: path, Line: i + 1, Message: "is no variable (not shown)", Expected: "NAME=value"})
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		values[name] = value
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return func(name string) (string, bool) {
		if value, ok := env(name); ok {
			return value, true
		}
		value, ok := values[name]
		return value, ok
	}, nil
}
