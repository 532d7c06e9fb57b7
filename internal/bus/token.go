package bus

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

// ReadTokenFile reads the token that the embedded server wrote, for a program
// that connects to it. The error names the file, never what is in it.
func ReadTokenFile(path string) (string, error) {
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

// tokenFile reads the token at path, or makes one: whole or not at all, and
// readable by its owner alone.
func tokenFile(path string) (string, error) {
	token, err := ReadTokenFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	if err := writeToken(path); err != nil {
		return "", fmt.Errorf("token file %s: %w", path, err)
	}
	return ReadTokenFile(path)
}

func writeToken(path string) (err error) {
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
	// A link, and not a rename: who comes second must not replace the token that
	// the first may be using already.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
