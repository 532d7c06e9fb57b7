package fakeweiban

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPictures(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	at := s.AddPicture("背景 图.png", []byte("content"))
	unsigned, _, _ := strings.Cut(at, "?")
	for address, want := range map[string]string{
		at: "200 content", unsigned: "403 expired", "https://" + PictureHost + "/1/a.png": "404 not found",
		"https://elsewhere.example/a.png": "", "http" + strings.TrimPrefix(at, "https"): "",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Pictures().RoundTrip(req)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if got := resp.Status[:3] + " " + string(body); got != want || err != nil {
			t.Errorf("%s: %s, %v", address, got, err)
		}
		_ = resp.Body.Close()
	}
}
