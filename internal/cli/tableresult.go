package cli

import (
	"fmt"
	"strconv"
	"strings"

	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/tables"
)

// tell says what a change of a table did, and which letters that repairs.
func (c tableArgs) tell(s *session, done operate.TableChange, err error) error {
	if err != nil {
		return err
	}
	for i, r := range done.Repairs {
		done.Repairs[i].Command = replayCommand(r, s.config)
	}
	return show(s.out, c.JSON, []operate.TableChange{done}, each(changeText))
}

func changeText(done operate.TableChange) string {
	text := ""
	for _, w := range done.Warnings {
		text += "warning: " + w.String() + "\n"
	}
	text += done.Tenant + ": table " + done.Table
	switch n := len(done.Changes); n {
	case 0:
		text += " says so already; nothing was changed\n"
	case 1:
		text += fmt.Sprintf(", row %s: %s\n", done.Changes[0].Word, beforeAfter(done.Changes[0]))
	default:
		text += fmt.Sprintf(": %d rows changed\n", n)
	}
	switch {
	case done.Seen != nil:
		text += "with the mapping's own row look-ups find: " + done.Seen.String() + "\n"
	case done.Own != nil:
		text += "the mapping's own table answers now: " + done.Own.String() + "\n"
	case done.Removed():
		text += "nothing else answers to this word: an event that asks for it becomes a dead letter\n"
	}
	return text + repairsText(done)
}

func beforeAfter(c tables.Change) string {
	before, after := "nothing", "nothing"
	if c.Before != nil {
		before = c.Before.String()
	}
	if c.After != nil {
		after = c.After.String()
	}
	return before + " → " + after
}

// replayCommand is the command that runs a letter's event again.
func replayCommand(r operate.Repair, config string) string {
	c := "dispatcher dead replay " + strconv.FormatUint(r.Letter, 10)
	if r.Waits {
		c = "dispatcher dead settle " + strconv.FormatUint(r.Letter, 10) + ` try-again --reason "the table was completed"`
	}
	if config != defaultConfig {
		c += " -c " + quoted(config)
	}
	return c
}

// quoted is a word for a shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func repairsText(c operate.TableChange) (all string) {
	const most = 10
	for i, r := range c.Remaining {
		if i == most {
			all += fmt.Sprintf("and %d more that cannot be done yet\n", len(c.Remaining)-most)
			break
		}
		all += fmt.Sprintf("dead letter %d, order %s, cannot be done yet: %s\n", r.Letter, r.Order, r.Reason)
	}
	if len(c.Repairs) == 0 {
		return all + "no open dead letter is repaired by this\n"
	}
	all += fmt.Sprintf("%d open dead letter(s) can be done now:\n", len(c.Repairs))
	for _, r := range c.Repairs {
		how := "rule " + r.Rule
		if r.Rule == "" {
			how = "no rule wants it"
		}
		all += fmt.Sprintf("  %-40s # %s %s, %s\n", r.Command, r.Noun, r.Order, how)
	}
	return all
}
