package leak

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// AwaitShims waits until no shim of a container below dir is left. A shim takes the network away about a second after
// everybody has been told of the container's end, and needs the container's directories for it: a test that removes
// them calls this first.
func AwaitShims(t testing.TB, dir string) {
	t.Helper()
	ours := func(path string) bool {
		line, _ := os.ReadFile(path) // of a process that has just ended: empty
		program, arguments, _ := strings.Cut(string(line), "\x00")
		return filepath.Base(program) == "minictr-shim" && strings.Contains(arguments, dir)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
		switch {
		case err == nil && !slices.ContainsFunc(commands, ours):
			return
		case time.Now().After(end):
			t.Errorf("a shim of %s is still there (%v)", dir, err)
			return
		}
	}
}
