package fakekingdee

import (
	"fmt"
	"time"
)

// Account returns what lets a caller in now.
func (s *Server) Account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// MoveGroup moves the account set to another group: calls with the old
// groupName are refused with 11010001. The new name comes back.
func (s *Server) MoveGroup() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveGroup()
	return s.account.GroupName
}

func (s *Server) moveGroup() {
	s.account.GroupName = fmt.Sprintf("ns-%04x", s.random.Uint64()&0xffff|0x1_0000)
}

// RotateSecret replaces the appSecret: app signatures made with the old one are
// refused with 1030002006. Tokens live on.
func (s *Server) RotateSecret() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotateSecret(s.o.Clock())
}

func (s *Server) rotateSecret(now time.Time) {
	s.account.AppSecret = fmt.Sprintf("%016x%016x%08x", s.random.Uint64(), s.random.Uint64(), s.random.Uint32())
	s.rotated = now
}

// aged rotates the appSecret if its life is over. Called under the lock.
func (s *Server) aged(now time.Time) {
	if s.o.SecretLife > 0 && now.Sub(s.rotated) >= s.o.SecretLife {
		s.rotateSecret(now)
	}
}

// NewToken makes a token without a call, for callers that bring their own.
func (s *Server) NewToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, _ := s.newToken()
	return token
}

// newToken is ten digits of the time and 22 of chance, as Kingdee's are.
func (s *Server) newToken() (string, time.Time) {
	now := s.o.Clock()
	if s.o.KillOldToken {
		s.ExpireTokens()
	}
	token := fmt.Sprintf("%010d%016x%06x", now.Unix(), s.random.Uint64(), s.random.Uint32()&0xff_ffff)
	ends := now.Add(s.o.TokenLife)
	s.Issue(token, ends)
	return token, ends
}

// SetListShape changes what loadList's answers look like.
func (s *Server) SetListShape(shape ListShape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shape = shape
}
