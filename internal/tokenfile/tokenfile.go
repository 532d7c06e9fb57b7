// Package tokenfile reads and makes the file that holds the token of the
// embedded NATS server. The server makes the file, and its clients read it; so
// the file is the one thing that both must agree about.
package tokenfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Lengths of a token that is taken as one.
const (
	minToken = 16
	maxToken = 512
)

// Read returns the token that the file at path holds. The error names the file,
// never what is in it.
func Read(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken || len(token) > maxToken {
		return "", fmt.Errorf("token file %s: holds no token of %d to %d characters", path, minToken, maxToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", fmt.Errorf("token file %s: character %d is not one of a token", path, i+1)
		}
	}
	return token, nil
}

// ReadOrMake returns the token that the file at path holds. Where there is no
// file it makes one with a random token, whole or not at all, readable by its
// owner alone.
func ReadOrMake(path string) (string, error) {
	token, err := Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	if err := write(path); err != nil {
		return "", fmt.Errorf("token file %s: %w", path, err)
	}
	return Read(path)
}

func write(path string) (err error) {
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(f.Name()))
	}()
	_, err = f.WriteString(hex.EncodeToString(random) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, and not a rename: a second server must not replace the token that
	// the first may be using already.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
