package app

import (
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// bar shows a person at a terminal how far a long command has come; anywhere
// else it shows nothing.
type bar struct {
	w  progress.Writer
	on *progress.Tracker
	is string // what is tracked
}

func newBar(to io.Writer) *bar {
	f, ok := to.(*os.File)
	if !ok {
		return &bar{}
	}
	if i, err := f.Stat(); err != nil || i.Mode()&os.ModeCharDevice == 0 {
		return &bar{}
	}
	w := progress.NewWriter()
	w.SetOutputWriter(to)
	w.SetStyle(progress.StyleBlocks)
	w.SetUpdateFrequency(200 * time.Millisecond)
	w.SetTrackerLength(30)
	go w.Render()
	return &bar{w: w}
}

// at is a [dispatch.Progress].
func (b *bar) at(what string, done, of uint64) {
	if b.w == nil {
		return
	}
	if b.is != what {
		b.is, b.on = what, &progress.Tracker{Message: what, Total: int64(of)}
		b.w.AppendTracker(b.on)
	}
	if done >= of {
		b.on.MarkAsDone()
		return
	}
	b.on.SetValue(int64(done))
}

// end leaves the terminal's last line as it is.
func (b *bar) end() {
	if b.w == nil {
		return
	}
	b.w.Stop()
	beat := time.NewTicker(5 * time.Millisecond)
	defer beat.Stop()
	for b.w.IsRenderInProgress() { // the library says in no other way that it is done
		<-beat.C
	}
}
