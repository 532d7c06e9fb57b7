package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// figure is one row: a measure, its value and, of a maximum, where it is found.
type figure struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Where   string  `json:"where,omitempty"`
}

func (t *tree) figures() []figure {
	engine, assembled := map[string]int{}, map[string]int{}
	for e := range t.imports {
		if within(assembly, e.from) != "" {
			assembled[e.from]++
		} else {
			engine[e.from]++
		}
	}
	others, ofLedger := map[string]int{}, map[string]int{}
	for name, n := range t.methods {
		if strings.HasPrefix(name, ledger+".") {
			ofLedger[name] = n
		} else {
			others[name] = n
		}
	}
	return []figure{
		{"product lines", float64(t.product), ""},
		{"test lines", float64(t.tests), ""},
		{"test-wing lines", float64(t.wing), ""},
		{"test and test-wing lines : product lines", ratio(t.tests+t.wing, t.product, 1), ""},
		rank("files in one package", t.packages, 100),
		rank("methods of one type, ledger apart", others, 100),
		rank("methods of one type of the ledger", ofLedger, 100),
		rank("own packages that one imports: engine", engine, 100),
		rank("own packages that one imports: assembly", assembled, 100),
		rank("function lines, median", t.functions, 50),
		rank("function lines, 95th percentile", t.functions, 95),
		rank("function lines, longest", t.functions, 100),
		rank("file lines, median", t.files, 50),
		rank("file lines, 95th percentile", t.files, 95),
		rank("file lines, longest", t.files, 100),
		{"comment lines, % of product lines", ratio(t.comments, t.product, 100), ""},
		{"exported things documented, %", ratio(t.documented, t.exported, 100), ""},
		{"runnable examples", float64(t.examples), ""},
		{"README, bytes", float64(t.readme), ""},
	}
}

// ratio returns a : b times scale, cut to two decimals so that 99.999 % is not
// shown as all; 0 where b is 0.
func ratio(a, b, scale int) float64 {
	return math.Floor(float64(a)*float64(scale)*100/float64(max(b, 1))) / 100
}

// rank returns the percentile of the values by nearest rank, and of the largest
// also its key; among equals the first in the alphabet. It is 0 without values.
func rank(measure string, values map[string]int, percent int) figure {
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(values[a]-values[b], strings.Compare(b, a))
	})
	if len(keys) == 0 {
		return figure{Measure: measure}
	}
	key := keys[(len(keys)*percent+99)/100-1]
	f := figure{Measure: measure, Value: float64(values[key])}
	if percent == 100 {
		f.Where = key
	}
	return f
}
