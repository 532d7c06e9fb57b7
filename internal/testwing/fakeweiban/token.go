package fakeweiban

import (
	"encoding/json"
	"fmt"
	"time"
)

// TokenPolicy is what a new access token does to the ones before; Weiban does
// not say.
type TokenPolicy int

// The policies.
const (
	KeepOld        TokenPolicy = iota // the old ones live on
	KillOld                           // the old ones die
	SameWhileValid                    // no new one is made while one is valid, as with WeCom
)

// codeToken is Weiban's code for a token or secret that is not right.
const codeToken = 10001

// accessToken is 获取访问凭据 (POST /open-api/access_token/get).
func (s *Server) accessToken(in request) (object, int) {
	var q struct {
		CorpID string `json:"corp_id"`
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(in.body, &q); err != nil {
		return nil, codeParameter
	}
	if q.CorpID != s.o.CorpID || q.Secret != s.secret {
		return nil, codeToken
	}
	now := s.o.Clock()
	if s.o.TokenPolicy == SameWhileValid {
		if token, ends := s.youngest(now); token != "" {
			return object{"access_token": token, "expires_in": int(ends.Sub(now).Seconds())}, 0
		}
	}
	if s.o.TokenPolicy == KillOld {
		clear(s.tokens)
	}
	token := fmt.Sprintf("%08x%016x%016x", now.Unix(), s.random.Uint64(), s.random.Uint64())
	s.tokens[token] = now.Add(s.o.TokenLife)
	s.issued++
	return object{"access_token": token, "expires_in": int(s.o.TokenLife.Seconds())}, 0
}

// youngest is the valid token that lives longest, "" if there is none.
func (s *Server) youngest(now time.Time) (string, time.Time) {
	var token string
	var ends time.Time
	for t, e := range s.tokens {
		if e.After(now) && e.After(ends) {
			token, ends = t, e
		}
	}
	return token, ends
}

// authorised says whether a token opens the API.
func (s *Server) authorised(token string) bool {
	ends, ok := s.tokens[token]
	return ok && s.o.Clock().Before(ends)
}

// ExpireTokens ends every token, as if its time were up.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// RotateSecret replaces the secret; the old one and every token made with it
// are refused from now on.
func (s *Server) RotateSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = secret
	clear(s.tokens)
}

// TokensIssued is the number of tokens made so far.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}
