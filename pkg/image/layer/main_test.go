package layer

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMain counts open files: whatever a test opened must be closed after it.
func TestMain(m *testing.M) {
	before := openFiles()
	code := m.Run()
	if after := openFiles(); code == 0 && len(after) > len(before) {
		fmt.Fprintf(os.Stderr, "open files before: %v\nafter: %v\n", before, after)
		code = 1
	}
	os.Exit(code)
}

// openFiles lists what is open below the tests' directories; the runtime has
// files of its own.
func openFiles() []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	var open []string
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name()) // the directory itself is gone by now
		if strings.HasPrefix(to, os.TempDir()) {
			open = append(open, to)
		}
	}
	return open
}
