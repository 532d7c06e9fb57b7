package telemetry

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// hidden stands where something was cut out.
	hidden = "…"
	// shortestSecret is the shortest text that is looked for: anything less would tear every line
	// apart and protect nothing.
	shortestSecret = 4
	// kept is how many values of a rotating secret stay known: the one in use, and those that late
	// lines may still hold.
	kept = 4
)

// Redactor cuts out of texts the secrets that it was told, and by their shape the queries and users
// of URLs and what follows the name of a token. Looking at a clean text allocates nothing, costs a
// few nanoseconds a byte, and hardly depends on how many secrets there are. It is safe for
// concurrent use.
type Redactor struct {
	mu       sync.Mutex
	fixed    []string
	rotating map[string][]string
	now      atomic.Pointer[needles]
	shapes   shapes
}

// NewRedactor knows no secret yet, but all shapes.
func NewRedactor() *Redactor {
	r := &Redactor{rotating: map[string][]string{}, shapes: newShapes()}
	r.now.Store(newNeedles(nil))
	return r
}

// Add makes secrets known for good, each also in the forms that URLs and JSON give it. Those
// shorter than four bytes are passed over.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fixed = append(r.fixed, secrets...)
	r.rebuild()
}

// Rotate makes known the newest value of a secret that changes, such as an access token; name is
// whose it is. The last few values stay known.
func (r *Redactor) Rotate(name, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := r.rotating[name]
	if slices.Contains(values, secret) {
		return
	}
	r.rotating[name] = append(values[max(0, len(values)-kept+1):], secret)
	r.rebuild()
}

func (r *Redactor) rebuild() {
	all := slices.Clone(r.fixed)
	for _, values := range r.rotating {
		all = append(all, values...)
	}
	r.now.Store(newNeedles(all))
}

// Text is s without secrets. Where there is nothing to cut it is s itself.
func (r *Redactor) Text(s string) string {
	return cut(r.shapes, cutNeedles(r.now.Load(), s))
}

// Bytes is b without secrets, b itself where there is nothing to cut.
func (r *Redactor) Bytes(b []byte) []byte {
	return cut(r.shapes, cutNeedles(r.now.Load(), b))
}

// Writer passes each write on redacted. A secret that is spread over two writes is not seen: write
// whole lines.
func (r *Redactor) Writer(w io.Writer) io.Writer { return redactingWriter{r, w} }

type redactingWriter struct {
	r *Redactor
	w io.Writer
}

func (w redactingWriter) Write(line []byte) (int, error) {
	if _, err := w.w.Write(w.r.Bytes(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// needles is a set of secrets, laid out so that most bytes of a text are passed with one look: the
// third and fourth byte of a secret say whether one may begin two bytes before.
type needles struct {
	seen [1 << 16 / 64]uint64
	by   map[uint16][]string // longest first
}

func newNeedles(secrets []string) *needles {
	n := &needles{by: map[uint16][]string{}}
	known := map[string]bool{}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			if len(form) < shortestSecret || known[form] {
				continue
			}
			known[form] = true
			key := pair(form[2], form[3])
			n.seen[key/64] |= 1 << (key % 64)
			n.by[key] = append(n.by[key], form)
		}
	}
	for _, same := range n.by {
		slices.SortFunc(same, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	}
	return n
}

// forms are the ways in which a secret may stand in a text.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	if quoted, err := json.Marshal(secret); err == nil { // with <, > and & as \u003c
		all = append(all, strings.Trim(string(quoted), `"`))
	}
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(secret); err == nil {
		all = append(all, strings.Trim(strings.TrimSpace(plain.String()), `"`))
	}
	return all
}

func pair(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// cutNeedles puts the mark of a cut in place of every needle in text.
func cutNeedles[T string | []byte](n *needles, text T) T {
	if len(n.by) == 0 {
		return text
	}
	var out []byte
	done := 0
	for i := 3; i < len(text); i++ {
		key := pair(text[i-1], text[i])
		if n.seen[key/64]&(1<<(key%64)) == 0 {
			continue
		}
		start := i - 3
		if start < done {
			continue
		}
		for _, needle := range n.by[key] {
			if end := start + len(needle); end <= len(text) && string(text[start:end]) == needle {
				out = append(append(out, text[done:start]...), hidden...)
				done, i = end, end+2 // the next one can begin where this one ends
				break
			}
		}
	}
	if out == nil {
		return text
	}
	return T(append(out, text[done:]...))
}
