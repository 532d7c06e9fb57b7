package fakeweiban

import (
	"maps"
	"slices"
)

// Tokens are the access tokens that are still known here, so that a test can
// look for them where they must not be.
func (s *Server) Tokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.tokens))
}
