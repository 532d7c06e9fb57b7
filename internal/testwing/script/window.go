package script

import "time"

// Window counts calls in a span of time that slides with the clock. The caller
// locks.
type Window struct {
	Span  time.Duration
	Limit int

	at   []int64 // Unix nanoseconds of the calls let in, oldest first from head
	head int
}

// Add lets a call in at now and says so, unless Limit calls are in the span
// already: then it is refused and leaves no trace.
func (w *Window) Add(now time.Time) bool {
	old := now.Add(-w.Span).UnixNano()
	for w.head < len(w.at) && w.at[w.head] <= old {
		w.head++
	}
	if w.head > 64 && w.head > len(w.at)/2 {
		w.at = append(w.at[:0], w.at[w.head:]...)
		w.head = 0
	}
	if len(w.at)-w.head >= w.Limit {
		return false
	}
	w.at = append(w.at, now.UnixNano())
	return true
}

// Len is the number of calls that were in the span when the last one came.
func (w *Window) Len() int { return len(w.at) - w.head }
