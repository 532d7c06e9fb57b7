package mapping

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
)

// Sources are the texts that a mapping was read from, by path: enough to read it once more in
// another process, whatever has become of the files.
type Sources struct {
	Path  string            `json:"path"` // of the mapping itself
	Texts map[string][]byte `json:"texts"`
}

// maxSources bounds what [DecodeSources] unpacks, in bytes.
const maxSources = 256 << 20

// Load reads and checks the mapping as [Load] does.
func (s Sources) Load(o Options) (*Mapping, error) {
	return loadWith(s.Path, func(path string) ([]byte, error) {
		text, ok := s.Texts[path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return text, nil
	}, o)
}

// Encode packs the sources for [DecodeSources].
func (s Sources) Encode() ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := json.NewEncoder(zip).Encode(s); err != nil {
		return nil, fmt.Errorf("pack mapping %s: %w", s.Path, err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("pack mapping %s: %w", s.Path, err)
	}
	return out.Bytes(), nil
}

// DecodeSources unpacks what [Sources.Encode] has packed.
func DecodeSources(data []byte) (s Sources, err error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(zip, maxSources)).Decode(&s)
	}
	if err != nil {
		return Sources{}, fmt.Errorf("unpack mapping: %w", err)
	}
	return s, nil
}
