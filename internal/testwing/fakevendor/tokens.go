package fakevendor

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Issued is the register of the access tokens that a vendor gave away. The zero
// Issued has none. Its methods may be called concurrently.
type Issued struct {
	mu     sync.Mutex
	ends   map[string]time.Time
	number int
}

// Issue registers a token until the end of its life.
func (i *Issued) Issue(token string, ends time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ends == nil {
		i.ends = map[string]time.Time{}
	}
	i.ends[token] = ends
	i.number++
}

// Life returns the end of a token's life; known is false for a token that was never
// issued.
func (i *Issued) Life(token string) (ends time.Time, known bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ends, known = i.ends[token]
	return ends, known
}

// Youngest returns the token that is valid at now and lives longest, "" if none is.
func (i *Issued) Youngest(now time.Time) (token string, ends time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for t, e := range i.ends {
		if e.After(now) && e.After(ends) {
			token, ends = t, e
		}
	}
	return token, ends
}

// ExpireToken ends the life of one token, if it was issued.
func (i *Issued) ExpireToken(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, known := i.ends[token]; known {
		i.ends[token] = time.Time{}
	}
}

// ExpireTokens ends the life of every token.
func (i *Issued) ExpireTokens() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for t := range i.ends {
		i.ends[t] = time.Time{}
	}
}

// Tokens returns every token issued so far, so that a test can look for them where
// they must not be.
func (i *Issued) Tokens() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.ends))
}

// TokensIssued returns the number of tokens issued so far.
func (i *Issued) TokensIssued() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.number
}
