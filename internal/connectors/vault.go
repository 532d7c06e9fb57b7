package connectors

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
)

// What a [Vault] answers beside success.
var (
	ErrNoEntry = errors.New("the vault has no such entry")
	ErrRace    = errors.New("the vault's entry was changed by another")
	ErrSealed  = errors.New("the vault's entry cannot be opened with this key")
)

// Vault keeps credentials for all processes, with compare-and-set.
type Vault interface {
	// Load gives the entry and its revision; ErrNoEntry if there is none.
	Load(ctx context.Context, name string) (value []byte, revision uint64, err error)
	// Save writes the entry if it still has that revision (0 = it does not exist)
	// and gives its new one; ErrRace if not.
	Save(ctx context.Context, name string, value []byte, revision uint64) (uint64, error)
}

type memoryEntry struct {
	value    []byte
	revision uint64
}

type memoryVault struct {
	mu      sync.Mutex
	entries map[string]memoryEntry
}

// MemoryVault is a Vault for one process: nothing in it outlives that.
func MemoryVault() Vault { return &memoryVault{entries: make(map[string]memoryEntry)} }

func (m *memoryVault) Load(_ context.Context, name string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[name]
	if !ok {
		return nil, 0, ErrNoEntry
	}
	return bytes.Clone(e.value), e.revision, nil
}

func (m *memoryVault) Save(_ context.Context, name string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[name].revision != revision {
		return 0, ErrRace
	}
	m.entries[name] = memoryEntry{value: bytes.Clone(value), revision: revision + 1}
	return revision + 1, nil
}

// sealVersion is the first byte of every sealed entry.
const sealVersion = 1

type sealed struct {
	inner Vault
	aead  cipher.AEAD
}

// Sealed encrypts what v keeps with AES-256-GCM; key has 32 bytes. An entry is
// bound to its name: moved under another, or sealed with another key, it is
// ErrSealed (its revision is still given, so that it can be replaced).
func Sealed(v Vault, key []byte) (Vault, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("seal vault: the key has %d bytes, it must have 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal vault: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal vault: %w", err)
	}
	return &sealed{inner: v, aead: aead}, nil
}

func (s *sealed) Load(ctx context.Context, name string) ([]byte, uint64, error) {
	b, revision, err := s.inner.Load(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	n := s.aead.NonceSize()
	if len(b) < 1+n || b[0] != sealVersion {
		return nil, revision, ErrSealed
	}
	plain, err := s.aead.Open(nil, b[1:1+n], b[1+n:], []byte(name))
	if err != nil {
		return nil, revision, ErrSealed
	}
	return plain, revision, nil
}

func (s *sealed) Save(ctx context.Context, name string, value []byte, revision uint64) (uint64, error) {
	b := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(value)+s.aead.Overhead())
	b[0] = sealVersion
	if _, err := rand.Read(b[1:]); err != nil {
		return 0, fmt.Errorf("seal entry: %w", err)
	}
	b = s.aead.Seal(b, b[1:], value, []byte(name))
	return s.inner.Save(ctx, name, b, revision)
}
