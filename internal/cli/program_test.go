package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/textfile"
)

// grammar is a program with one command whose Run fails as it is told.
type grammar struct {
	Do struct {
		failing
		Word string `arg:""`
	} `cmd:""`
}

type failing struct{ err error }

func (f failing) Run(context.Context, cli.Program) error { return f.err }

// TestExitStatus: one place says what a program ends with, and what it says then.
func TestExitStatus(t *testing.T) {
	other := errors.New("no disk")
	for _, c := range []struct {
		args   string
		err    error
		status int
		says   string
	}{
		{"do it", nil, 0, ""},
		{"do --help", other, 0, ""},
		{"do it", other, 1, "tool: no disk"},
		{"do it", fmt.Errorf("set row: %w", &operate.RequestError{Reason: "say which"}), 2, "tool: usage: set row: say which (see tool do --help)"},
		{"do", nil, 2, `tool: usage: expected "<word>" (see tool do --help)`},
		{"undo", nil, 2, "tool: usage: unexpected argument undo"},
		{"do it", textfile.Faults{{File: "a.yaml", Line: 3, Message: "is empty"}, {File: "a.yaml", Line: 4, Message: "is empty"}}, 1, "tool: 2 faults"},
	} {
		var g grammar
		g.Do.err = c.err
		p := cli.Program{Args: strings.Fields(c.args), Stdout: io.Discard, Stderr: &bytes.Buffer{}}
		err := p.Run(t.Context(), "tool", "A tool.", &g)
		if got := cli.ExitStatus(err); got != c.status {
			t.Errorf("%s, %v: status %d, want %d", c.args, c.err, got, c.status)
		}
		if err != nil && !strings.Contains(cli.Complaint("tool", err), c.says) {
			t.Errorf("%s: %q, want %q", c.args, cli.Complaint("tool", err), c.says)
		}
	}
}
