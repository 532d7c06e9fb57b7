package history_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/testwing/memory"
)

// deed is something that happens to a stream, so many times or so far.
type deed struct {
	What string
	N    int
}

// deeds happen in any order.
func deeds() *rapid.Generator[[]deed] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		what := rapid.SampledFrom([]string{"publish", "publish", "look", "look", "trim", "age", "copy", "put back", "remove", "cut"}).Draw(t, "what")
		return deed{what, rapid.IntRange(1, 9).Draw(t, "n")}
	}), 1, 40)
}

// play is a stream to which things happen, and what must be noticed of them.
type play struct {
	*world
	stream string
	seen   bus.Stored // the newest message at the last look
	rid    uint64     // up to here the bridge or their age has removed messages
	foul   bool       // since the last look it was removed or put back
	older  *memory.Copy
}

// Whatever happens in whatever order: that the newest message is gone which was seen,
// or another is in its place, is noticed by the next look; where nothing happened but
// publishes, the bridge's own trims and ageing, nothing is noticed.
func TestAnyAccidents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		stream := rapid.SampledFrom([]string{bus.Callbacks, bus.Events, bus.Audit}).Draw(rt, "stream")
		list, fault := deeds().Draw(rt, "deeds"), ""
		synctest.Test(t, func(t *testing.T) {
			p := &play{world: &world{t: t, s: memory.New()}, stream: stream}
			p.start()
			for _, d := range append(list, deed{"look", 1}) {
				if fault = p.do(d); fault != "" {
					return
				}
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// named is the history on record.
func (p *play) named() string {
	e, err := p.s.Bucket(bus.State).Get(p.t.Context(), history.Key)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := history.Decode(e)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.History
}

func (p *play) do(d deed) string {
	wait(time.Millisecond)
	id := p.identity()
	switch d.What {
	case "publish":
		for range d.N {
			p.to(p.stream)
		}
	case "trim":
		below := min(id.First+uint64(d.N), id.Last+1)
		// What is missing is noticed before; then nothing may be trimmed.
		lost, told := p.lost(), len(p.alerts)
		err := p.k.Trimming(p.t.Context(), p.named(), p.stream, below)
		if fault := p.noted(lost, told); fault != "" || err != nil {
			return fault
		}
		p.clear(func(m bus.Stored) bool { return m.Sequence < below })
	case "age":
		wait(time.Duration(d.N) * 5 * 24 * time.Hour)
		p.beat()
		now := time.Now()
		p.clear(func(m bus.Stored) bool { return id.MaxAge > 0 && now.Sub(m.Time) >= id.MaxAge })
	case "copy":
		c := p.s.Copy(p.stream)
		p.older = &c
	case "put back":
		if p.older != nil {
			p.s.Restore(p.stream, *p.older)
			p.foul = true
		}
	case "remove":
		p.s.Remove(p.stream)
		if _, err := p.s.Mend(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.foul = true
	case "cut": // the stream goes on to count them
		for i := range min(uint64(d.N), id.Last+1-min(id.First, id.Last+1)) {
			if _, err := p.s.Get(p.t.Context(), p.stream, id.Last-i); err == nil {
				p.drop(p.stream, id.Last-i)
			}
		}
		p.foul = true
	case "look":
		return p.lookAt()
	}
	return ""
}

func (p *play) identity() bus.Identity {
	id, err := p.s.Identity(p.t.Context(), p.stream)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// clear removes the messages that fit, from the oldest on.
func (p *play) clear(fits func(bus.Stored) bool) {
	for id := p.identity(); id.First <= id.Last; id = p.identity() {
		m, err := p.s.Get(p.t.Context(), p.stream, id.First)
		if err != nil {
			p.t.Fatal(err)
		}
		if !fits(m) {
			return
		}
		p.drop(p.stream, m.Sequence)
		p.rid = max(p.rid, m.Sequence)
	}
}

// lookAt says what is wrong with what the keeper notices.
func (p *play) lookAt() string {
	lost, told := p.lost(), len(p.alerts)
	p.look()
	return p.noted(lost, told)
}

// noted holds what a look has told since against what it had to.
func (p *play) noted(lost bool, told int) string {
	noticed := len(p.alerts) > told
	if lost && !noticed {
		return fmt.Sprintf("message %d is lost, and the look saw nothing", p.seen.Sequence)
	}
	if !p.foul && noticed {
		return fmt.Sprintf("nothing happened, and the look noted %+v", p.alerts[told:])
	}
	if noticed {
		p.rid = 0 // it counts in another history
	}
	p.foul, p.seen = false, bus.Stored{}
	if m, err := p.s.Get(p.t.Context(), p.stream, p.identity().Last); err == nil {
		p.seen = m
	}
	return ""
}

// lost reports whether the newest message that was seen is not there any more, for
// another reason than that the bridge or its age has removed it.
func (p *play) lost() bool {
	if p.seen.Sequence == 0 {
		return false
	}
	m, err := p.s.Get(p.t.Context(), p.stream, p.seen.Sequence)
	if err == nil {
		return m.ID() != p.seen.ID()
	}
	id := p.identity()
	return p.seen.Sequence > p.rid && (id.MaxAge == 0 || id.Now.Sub(p.seen.Time) < id.MaxAge)
}
