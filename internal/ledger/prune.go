package ledger

// Bounds of a record.
const (
	MaxRecord = 64 << 10 // bytes, encoded
	MaxBody   = 24 << 10 // bytes of a body, compact

	maxEffects = 200
	maxWhole   = 16 // newest effects that keep their names in full
	maxIDs     = 8  // names of one effect
	maxSeen    = 32
)

// prune keeps the record within its bounds: bodies go once their verdict is
// published (that of a dead effect which may have run once space is short), old
// effects shrink to the hashes of their names, the oldest go.
func (r *Record) prune() {
	n := len(r.Effects)
	for i := n - 1; i >= 0; i-- {
		e := &r.Effects[i]
		switch {
		case e.State == Intent || e.State == InDoubt:
		case r.unpublished(*e), e.State == Dead && e.Unsure:
		default:
			e.Body = nil
		}
		if i < n-maxWhole {
			e.shrink()
		}
	}
	for i := 0; i < n && r.size() > MaxRecord; i++ {
		if e := &r.Effects[i]; e.State == Dead && !r.unpublished(*e) {
			e.Body = nil
		}
	}
	for i := 0; i < len(r.Effects) && r.size() > MaxRecord; i++ {
		r.Effects[i].shrink()
	}
	for len(r.Effects) > maxEffects || r.size() > MaxRecord {
		if !r.forget() {
			return
		}
	}
}

// unpublished reports whether the effect's verdict may still have to go out.
func (r *Record) unpublished(e Effect) bool {
	v := r.Handle.Last
	return v != nil && v.Seq == e.Seq && !v.Published
}

// forget drops the oldest effect that nothing waits for.
func (r *Record) forget() bool {
	for i, e := range r.Effects {
		if e.State == Intent || e.State == InDoubt || r.unpublished(e) {
			continue
		}
		r.Effects = append(r.Effects[:i:i], r.Effects[i+1:]...)
		r.Forgot = true
		return true
	}
	return false
}

// shrink keeps of a settled effect what recognises it.
func (e *Effect) shrink() {
	if e.State == Intent || e.State == InDoubt || !e.Sweep.IsZero() || e.Unsure {
		return
	}
	ids := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		ids[i] = brief(id)
	}
	*e = Effect{
		IDs: ids, Generation: e.Generation, Application: e.Application, State: e.State,
		EventID: e.EventID, Seq: e.Seq, Sends: e.Sends, Like: e.Like, Body: e.Body, Ended: e.Ended,
	}
}

// size is an upper bound of the encoded record. Texts are clean, so no
// character takes more than twice its bytes.
func (r *Record) size() int {
	n := 1000 + progressSize(r.Enrich) + progressSize(r.Handle)
	for _, e := range r.Effects {
		n += 200 + len(e.Body) + 2*(len(e.EventID)+len(e.Rule)+len(e.Marker)+len(e.Like)+len(e.Status)+len(e.Position)+len(e.Without))
		for _, id := range e.IDs {
			n += 2*len(id) + 3
		}
		if !e.Begun.IsZero() {
			n += 300 + 2*len(e.Mapping)
		}
		if e.Bill != nil {
			n += 2 * (len(e.Bill.ID) + len(e.Bill.OrderNo))
		}
	}
	return n
}

func progressSize(l Progress) int {
	n := 300 + (seenLen+3)*(len(l.Seen)+len(l.Spent))
	if h := l.Head; h != nil {
		n += 600 + 2*(len(h.EventID)+len(h.Position)+len(h.Forced)) + fault(h.Fault)
	}
	if v := l.Last; v != nil {
		n += 600 + 2*(len(v.EventID)+len(v.Reason)+len(v.DuplicateOf)+len(v.Rule)+len(v.Mapping)+len(v.Marker)+len(v.Status)) + fault(v.Fault)
		if v.Bill != nil {
			n += 2 * (len(v.Bill.ID) + len(v.Bill.OrderNo))
		}
	}
	return n
}

func fault(f *Fault) int {
	if f == nil {
		return 0
	}
	return 150 + 2*(len(f.API)+len(f.Code)+len(f.Reason)+len(f.Rule)+len(f.Field)+len(f.Expr)+len(f.Word))
}
