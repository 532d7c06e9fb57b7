package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWorkDir: the sandbox takes an empty folder and its own, and no other.
func TestWorkDir(t *testing.T) {
	parent := t.TempDir()
	own := filepath.Join(parent, "own")
	for range 2 { // made, and found again
		if dir, _, err := workDir(own); err != nil || dir != own {
			t.Fatalf("%s, %v", dir, err)
		}
		if err := os.WriteFile(filepath.Join(own, "bridge.yaml"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := workDir(parent); err == nil || !strings.Contains(err.Error(), "not the sandbox's") {
		t.Errorf("a folder of others: %v", err)
	}
	if held, err := os.ReadDir(parent); err != nil || len(held) != 1 {
		t.Errorf("something was written: %v, %v", held, err)
	}
}
