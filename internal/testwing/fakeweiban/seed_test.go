package fakeweiban

import (
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestSeedNamesTheBills(t *testing.T) {
	s := newServer(t, Options{})
	notices, err := s.Seed(120, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range notices {
		o, ok := s.Order(n.Key)
		if !ok || o.Components[0].Title != "金蝶工单号" || o.Components[0].Answers[0] != BillNo(i) || o.Relation.Name == "" {
			t.Fatalf("order %d: %+v", i, o)
		}
	}
	if BillNo(119) != "fwgs-20250605-00000120" {
		t.Errorf("the 120th bill is %s", BillNo(119))
	}
	if none := newServer(t, Options{Staff: []Staff{{ID: "A", Name: "甲"}}}); none != nil {
		if _, err := none.Seed(1, func(int) string { return "x" }); err != nil {
			t.Error(err)
		}
	}
}

func TestShuffledAndDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		n := rapid.IntRange(0, 60).Draw(t, "n")
		reach := rapid.IntRange(0, 10).Draw(t, "reach")
		in := make([]Notice, n)
		for i := range in {
			in[i].Seq = i
		}
		seqs := func(notices []Notice) (out []int) {
			for _, n := range notices {
				out = append(out, n.Seq)
			}
			return out
		}
		moved := seqs(Shuffled(seed, reach, in))
		for at, i := range moved {
			if at-i > reach || i-at > reach {
				t.Fatalf("notice %d moved to place %d, reach %d", i, at, reach)
			}
		}
		if !slices.Equal(moved, seqs(Shuffled(seed, reach, in))) {
			t.Fatal("the same seed shuffles differently")
		}
		slices.Sort(moved)
		if !slices.Equal(moved, seqs(in)) {
			t.Fatalf("shuffling lost or made notices: %v", moved)
		}

		twice := seqs(Doubled(seed, 0.5, in))
		if all := Doubled(seed, 1, in); len(all) != 2*n {
			t.Fatalf("all of %d doubled are %d", n, len(all))
		}
		var firsts []int
		count := map[int]int{}
		for _, i := range twice {
			if count[i]++; count[i] == 1 {
				firsts = append(firsts, i)
			}
			if count[i] > 2 {
				t.Fatalf("notice %d is there %d times", i, count[i])
			}
		}
		if !slices.Equal(firsts, seqs(in)) {
			t.Fatalf("doubling changed the order of the first ones: %v", twice)
		}
	})
}

// Everything at once, for the race detector.
func TestManyHandsAtOnce(t *testing.T) {
	rc := &receiver{}
	s := connect(t, rc, Callback{})
	tok := token(t, s)
	var hands sync.WaitGroup
	for range 8 {
		hands.Go(func() {
			no, n := sample(t, s)
			s.Post(t.Context(), n)
			for range 5 {
				if n, err := s.Reply(no, Act{Staff: "LiHua", Text: "进展"}); err == nil {
					s.Post(t.Context(), n)
				}
				get(s, APIOrder, tok, "order_no", no)
				get(s, APIOrderList, tok)
				s.Orders()
				s.Ledger()
				s.Breaches()
				s.Calls()
			}
		})
	}
	hands.Wait()
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Accepted() != 48 || len(s.Orders()) != 8 {
		t.Errorf("%d accepted, %d orders", s.Accepted(), len(s.Orders()))
	}
}
