package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProcessorsThatAreNotThereAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "online")
	if err := os.WriteFile(file, []byte("0-3,6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for wanted, ok := range map[string]bool{"": true, "0": true, "1-3,6": true, "2,0": true, "4": false, "2-4": false, "0,7": false, "99": false} {
		if err := amongThose("CPUs", wanted, file); (err == nil) != ok {
			t.Errorf("%q: %v", wanted, err)
		}
	}
	if err := amongThose("CPUs", "99", file+".none"); err != nil {
		t.Error("without a list the kernel is to judge:", err)
	}
}
