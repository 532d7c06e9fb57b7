package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// bar shows a person at a terminal how far a long command has come, in one line
// that goes when it ends; anywhere else it shows nothing. What the command prints
// while it runs goes through [bar.over], or it would stand in the bar's line.
type bar struct {
	to    io.Writer // nil where nobody looks
	now   func() time.Time
	begun time.Time
	drawn time.Time
	shown bool
}

const (
	barWait  = 300 * time.Millisecond // what is done sooner needs no bar
	barBeat  = 100 * time.Millisecond
	barCells = 30
	wipe     = "\r\x1b[2K" // the terminal's line, away
)

func newBar(to io.Writer) *bar {
	if f, ok := to.(*os.File); ok {
		if i, err := f.Stat(); err == nil && i.Mode()&os.ModeCharDevice != 0 {
			return &bar{to: to, now: time.Now, begun: time.Now()}
		}
	}
	return &bar{}
}

// at is a [inspect.Progress].
func (b *bar) at(what string, done, of uint64) {
	if b.to == nil || of == 0 {
		return
	}
	now := b.now()
	if now.Sub(b.begun) < barWait || now.Sub(b.drawn) < barBeat {
		return
	}
	done = min(done, of)
	full := int(done * barCells / of)
	b.drawn, b.shown = now, true
	_, _ = fmt.Fprintf(b.to, "%s%s %s%s %d/%d", wipe, what, strings.Repeat("█", full), strings.Repeat("░", barCells-full), done, of)
}

// end leaves nothing of the bar.
func (b *bar) end() {
	if b.shown {
		b.shown = false
		_, _ = io.WriteString(b.to, wipe)
	}
}

// over is w, with the bar out of the way whenever something is written.
func (b *bar) over(w io.Writer) io.Writer { return overBar{b, w} }

type overBar struct {
	bar *bar
	w   io.Writer
}

func (o overBar) Write(p []byte) (int, error) {
	o.bar.end()
	return o.w.Write(p)
}
