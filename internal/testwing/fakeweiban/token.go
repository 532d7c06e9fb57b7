package fakeweiban

import (
	"encoding/json"
	"fmt"
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
	if err := json.Unmarshal(in.Body, &q); err != nil {
		return nil, codeParameter
	}
	if q.CorpID != s.o.CorpID || q.Secret != s.secret {
		return nil, codeToken
	}
	now := s.o.Clock()
	if s.o.TokenPolicy == SameWhileValid {
		if token, ends := s.Youngest(now); token != "" {
			return object{"access_token": token, "expires_in": int(ends.Sub(now).Seconds())}, 0
		}
	}
	if s.o.TokenPolicy == KillOld {
		s.ExpireTokens()
	}
	token := fmt.Sprintf("%08x%016x%016x", now.Unix(), s.random.Uint64(), s.random.Uint64())
	s.Issue(token, now.Add(s.o.TokenLife))
	return object{"access_token": token, "expires_in": int(s.o.TokenLife.Seconds())}, 0
}

// authorised says whether a token opens the API.
func (s *Server) authorised(token string) bool {
	ends, ok := s.Life(token)
	return ok && s.o.Clock().Before(ends)
}

// RotateSecret replaces the secret; the old one and every token made with it
// are refused from now on.
func (s *Server) RotateSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = secret
	s.ExpireTokens()
}
