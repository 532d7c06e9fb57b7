package proof

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// store is the folder of a server that does not run, and older copies of it: half
// of after a soft stop, killed of after kill -9.
type store struct {
	t                 *testing.T
	dir, half, killed string
}

// folder is the folder of a stream; a bucket's is named KV_ and its name.
func folder(dir, name string) string { return filepath.Join(dir, "jetstream", "$G", "streams", name) }

// must fails the test.
func (s store) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// remove removes streams.
func (s store) remove(names ...string) {
	s.t.Helper()
	for _, name := range names {
		_, err := os.Stat(folder(s.dir, name))
		s.must(err)
		s.must(os.RemoveAll(folder(s.dir, name)))
	}
}

// removeBut removes all streams but one.
func (s store) removeBut(kept string) {
	s.t.Helper()
	all, err := os.ReadDir(folder(s.dir, ""))
	s.must(err)
	for _, e := range all {
		if e.Name() != kept {
			s.remove(e.Name())
		}
	}
}

// restore puts streams back as they were when the copy was taken.
func (s store) restore(names ...string) {
	s.t.Helper()
	s.remove(names...)
	for _, name := range names {
		s.must(os.CopyFS(folder(s.dir, name), os.DirFS(folder(s.half, name))))
	}
}

// restoreAll puts the whole store back.
func (s store) restoreAll(from string) {
	s.t.Helper()
	s.must(os.RemoveAll(s.dir))
	s.must(os.CopyFS(s.dir, os.DirFS(from)))
}

// lastBlock is the file of a stream's newest messages.
func (s store) lastBlock(name string) string {
	s.t.Helper()
	blocks, err := filepath.Glob(filepath.Join(folder(s.dir, name), "msgs", "*.blk"))
	s.must(err)
	if len(blocks) == 0 {
		s.t.Fatalf("%s has no block", name)
	}
	slices.SortFunc(blocks, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return blocks[len(blocks)-1]
}

// dropIndex removes the file in which the server has noted a stream's state.
func (s store) dropIndex(name string) {
	s.t.Helper()
	err := os.Remove(filepath.Join(folder(s.dir, name), "msgs", "index.db"))
	if !errors.Is(err, fs.ErrNotExist) {
		s.must(err)
	}
}

// cuts are ways in which a disk loses the end of a file, by name.
func cuts() map[string]func(file string) error {
	return map[string]func(string) error{
		"cut to half": func(file string) error {
			i, err := os.Stat(file)
			if err != nil {
				return err
			}
			return os.Truncate(file, i.Size()/2)
		},
		"cut to nothing": func(file string) error { return os.Truncate(file, 0) },
		"block removed":  os.Remove,
		"bit flipped": func(file string) error {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(file, data, 0o600)
		},
	}
}
