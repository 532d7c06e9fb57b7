package tokenfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzTokenFile(f *testing.F) {
	for _, s := range []string{"", "0123456789abcdef", " 0123456789abcdef\n", "0123456789 abcdef", strings.Repeat("x", 513), "工单工单工单"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := Read(path)
		if err != nil {
			if token != "" || !strings.Contains(err.Error(), path) {
				t.Fatalf("token %q with error %v", token, err)
			}
			return
		}
		if len(token) < minToken || len(token) > maxToken || strings.ContainsAny(token, " \t\r\n\x00") || !strings.Contains(string(content), token) {
			t.Fatalf("%q became %q", content, token)
		}
		if again, err := ReadOrMake(path); err != nil || again != token {
			t.Fatalf("the file was there and the token became %q, %v", again, err)
		}
	})
}
