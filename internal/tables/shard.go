package tables

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// Shards is how many entries a table lies in. It is part of the format: another
// number would look for every word in another place.
const Shards = 64

// shardOf is where a word lies: its FNV-1a hash of 32 bits, by [Shards].
func shardOf(word string) int {
	h := uint32(2166136261)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	return int(h % Shards)
}

// place is a shard's place in the bucket.
type place struct {
	tenant, table string
	n             int
}

func (p place) key() string {
	return fmt.Sprintf("%s.%s.%02d", events.Token(p.tenant), events.Token(p.table), p.n)
}

// placeOf reads a key; false if it is no shard's.
func placeOf(key string) (place, bool) {
	parts := strings.Split(key, ".")
	if len(parts) != 3 || len(parts[2]) != 2 {
		return place{}, false
	}
	var p place
	var err error
	if p.tenant, err = events.Untoken(parts[0]); err != nil {
		return place{}, false
	}
	if p.table, err = events.Untoken(parts[1]); err != nil {
		return place{}, false
	}
	p.n, err = strconv.Atoi(parts[2])
	return p, err == nil && p.n >= 0 && p.n < Shards && p.key() == key
}

// version is the format that this program writes, and the only one that it reads.
const version = 1

// document is a shard's JSON. Rows of one act share a group.
type document struct {
	Version int     `json:"version"`
	Groups  []group `json:"groups"`
}

// group is the rows of the same columns that were written by the same person at
// the same time: each is the word and then the values.
type group struct {
	Columns []string   `json:"columns"`
	Who     string     `json:"who"`
	At      time.Time  `json:"at"`
	Rows    [][]string `json:"rows"`
}

// decode reads a shard, strictly: what it does not know it does not take. Its
// errors are [ErrBroken] and hold the key, and nothing of the content.
func decode(key string, data []byte) (place, document, error) {
	broken := func(why string) (place, document, error) {
		return place{}, document{}, fmt.Errorf("entry %s of bucket %s: %w: %s", key, Bucket, ErrBroken, why)
	}
	p, ok := placeOf(key)
	if !ok {
		return broken("no table has an entry of that key")
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil || d.Version != version || strictjson.Check(data) != nil {
		var head struct{ Version int }
		if json.Unmarshal(data, &head) == nil && head.Version > version {
			return broken(fmt.Sprintf("it is of version %d and this program knows version %d: a newer program wrote it", head.Version, version))
		}
		return broken("it is no document of version " + strconv.Itoa(version))
	}
	if why := d.fault(p.n); why != "" {
		return broken(why)
	}
	return p, d, nil
}

// fault says why a document is no shard n, "" if it is one.
func (d document) fault(n int) string {
	words := map[string]bool{}
	for _, g := range d.Groups {
		if checkColumns(g.Columns) != nil {
			return "a group has no columns"
		}
		for _, r := range g.Rows {
			switch {
			case len(r) == 0 || checkWord(r[0]) != nil || checkValues(g.Columns, r[1:]) != nil:
				return "a row could not be looked up"
			case shardOf(r[0]) != n:
				return "a row belongs into another entry"
			case words[r[0]]:
				return "a word stands twice"
			}
			words[r[0]] = true
		}
	}
	return ""
}

// rows are the document's rows by their words.
func (d document) rows() map[string]Row {
	rows := map[string]Row{}
	for _, g := range d.Groups {
		for _, r := range g.Rows {
			rows[r[0]] = Row{Cells: Cells{Columns: g.Columns, Values: r[1:]}, Who: g.Who, At: g.At}
		}
	}
	return rows
}

// encode writes rows as a document: the same rows always as the same bytes.
func encode(rows map[string]Row) ([]byte, error) {
	d := document{Version: version, Groups: []group{}}
	at := map[string]int{}
	for _, word := range slices.Sorted(maps.Keys(rows)) {
		r := rows[word]
		id := fmt.Sprintf("%q %q %s", r.Columns, r.Who, r.At.Format(time.RFC3339Nano))
		i, ok := at[id]
		if !ok {
			i, at[id] = len(d.Groups), len(d.Groups)
			d.Groups = append(d.Groups, group{Columns: r.Columns, Who: r.Who, At: r.At})
		}
		d.Groups[i].Rows = append(d.Groups[i].Rows, append([]string{word}, r.Values...))
	}
	return json.Marshal(d)
}
