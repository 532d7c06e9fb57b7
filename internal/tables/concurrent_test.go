package tables_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/bustest"
)

// inShard says whether a word lies in that shard of its table.
func inShard(word string, n uint32) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(word)) // a hash takes everything
	return h.Sum32()%tables.Shards == n
}

// neighbours are n words of one shard.
func neighbours(n int) []string {
	var words []string
	for i := 0; len(words) < n; i++ {
		if w := fmt.Sprint("员工", i); inShard(w, 7) {
			words = append(words, w)
		}
	}
	return words
}

// TestWritersLoseNothing lets several writers set, edit, unset and import rows that
// lie in one shard. The audit, less what it takes back, is then a way from the
// empty table to what the table holds: every row that was written over stands as
// the one before in exactly one line.
func TestWritersLoseNothing(t *testing.T) {
	server := bustest.Server(t)
	words := neighbours(6)
	const writers, acts = 5, 30
	var all sync.WaitGroup
	for n := range writers {
		s := tables.NewStore(bustest.Connect(t, server, connection(n)), time.Now)
		dice := rand.New(rand.NewPCG(7, uint64(n)))
		all.Go(func() {
			for i := range acts {
				act := tables.Act{Who: fmt.Sprintf("w%d-%d", n, i)}
				word := words[dice.IntN(len(words))]
				var err error
				switch dice.IntN(4) {
				case 0:
					_, err = s.Unset(t.Context(), "acme", "staff", word, act)
				case 1:
					_, err = s.Edit(t.Context(), "acme", "staff", word, func(was tables.Cells) (tables.Cells, error) {
						return only(was.Column("value") + "+"), nil
					}, act)
				case 2:
					_, err = s.Set(t.Context(), "acme", "staff", tables.Write{Word: word, Cells: only(act.Who)}, act)
				default:
					var list []tables.Write
					for _, w := range words {
						list = append(list, tables.Write{Word: w, Cells: only(act.Who)})
					}
					_, err = s.SetAll(t.Context(), "acme", "staff", list, act, nil)
				}
				if err != nil && !errors.Is(err, tables.ErrRace) && !errors.Is(err, tables.ErrNoRow) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b := bustest.Connect(t, server, connection(writers))
	list, err := tables.NewStore(b, time.Now).List(t.Context(), "acme", "staff")
	if err != nil {
		t.Fatal(err)
	}
	audit := lines(t, b, "acme")
	refused := map[string]bool{}
	for _, l := range audit {
		for _, c := range l.Rows {
			refused[l.Who+" "+c.Word] = refused[l.Who+" "+c.Word] || l.Action == tables.ActionRefused
		}
	}
	// A row's state is the word and who wrote it. Each that was reached was left
	// again, but for the last ones.
	open, made, lost := map[string]int{}, 0, 0
	for _, w := range words {
		open[w+" "]++
	}
	for _, l := range audit {
		for _, c := range l.Rows {
			switch {
			case l.Action == tables.ActionRefused:
				lost++
				continue
			case refused[l.Who+" "+c.Word]:
				continue
			}
			made++
			before, after := "", ""
			if c.Before != nil {
				before = c.Before.Who
			}
			if c.After != nil {
				after = l.Who
			}
			open[c.Word+" "+before]--
			open[c.Word+" "+after]++
		}
	}
	held := map[string]bool{}
	for _, e := range list {
		held[e.Word] = true
		open[e.Word+" "+e.Who]--
	}
	for _, w := range words {
		if !held[w] {
			open[w+" "]--
		}
	}
	for state, n := range open {
		if n != 0 {
			t.Errorf("row %q: reached %d times more than left", state, n)
		}
	}
	if made < 20 || lost == 0 {
		t.Errorf("%d changes made and %d lost: the test proves nothing", made, lost)
	}
}

// TestNeighboursDoNotRace: who writes one row does not disturb who writes another
// of the same entry.
func TestNeighboursDoNotRace(t *testing.T) {
	b := bustest.New(t)
	words := neighbours(12)
	var all sync.WaitGroup
	for _, word := range words {
		all.Go(func() {
			s := tables.NewStore(b, time.Now)
			for _, text := range []string{"1", "2"} {
				if _, err := s.Set(t.Context(), "acme", "staff", tables.Write{Word: word, Cells: only(text)}, tables.Act{Who: word}); err != nil {
					t.Error(err)
				}
			}
			if strings.HasSuffix(word, "7") {
				if _, err := s.Unset(t.Context(), "acme", "staff", word, tables.Act{Who: word}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want, got := map[string]string{}, map[string]string{}
	for _, word := range words {
		if !strings.HasSuffix(word, "7") {
			want[word] = "2"
		}
	}
	list, err := tables.NewStore(b, time.Now).List(t.Context(), "acme", "staff")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		got[e.Word] = e.String()
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == len(words) {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
