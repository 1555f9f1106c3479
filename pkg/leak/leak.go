package leak

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Check takes a picture now and compares when the test has ended, after the cleanups that the test registers later.
// Files below dirs (a test's MINICTR_RUN, say) must be the same too. What counts is Default's choice.
func Check(t testing.TB, dirs ...string) {
	t.Helper()
	Default(dirs...).Check(t)
}

// Main runs a package's tests and compares before and after all of them; it returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }
func Main(m *testing.M, dirs ...string) int {
	watch := Default(dirs...)
	before, err := watch.Snapshot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak:", err)
		return 1
	}
	code := m.Run()
	if report := watch.settle(before); report != "" {
		fmt.Fprintln(os.Stderr, report)
		code = max(code, 1)
	}
	return code
}

// Watch says what belongs to the picture. The zero value watches the whole machine.
type Watch struct {
	// Dirs are directories below which no file may come or go.
	Dirs []string

	// Tokens narrow the picture to things that are ours: those with one of these strings in their name (a mount point,
	// a cgroup's path, a link, a table), and processes with one in their command line, their cgroup, or a MINICTR_
	// variable. Children of this process always count, and so do its file descriptors. Empty: everything counts.
	Tokens []string

	// Patience is how long traces may take to vanish by themselves after the test's end; zero means five seconds.
	Patience time.Duration
}

// Default chooses by the environment: the tokens in MINICTR_LEAK_SCOPE (separated by commas) if it is set, everything
// in CI, where nobody else works on the machine, and otherwise what is called minictr or veth (the kernel's own name for
// the host's end of a container's cable) or is in one of the directories.
func Default(dirs ...string) Watch {
	watch := Watch{Dirs: dirs}
	switch scope := os.Getenv("MINICTR_LEAK_SCOPE"); {
	case scope != "":
		watch.Tokens = append(strings.Split(scope, ","), dirs...)
	case os.Getenv("CI") == "":
		watch.Tokens = append([]string{"minictr", "veth"}, dirs...)
	}
	return watch
}

// Check is the function Check for this Watch.
func (w Watch) Check(t testing.TB) {
	t.Helper()
	before, err := w.Snapshot()
	if err != nil {
		t.Fatalf("look at the machine before the test: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		if report := w.settle(before); report != "" {
			t.Error(report)
		}
	})
}

// settle compares until nothing differs or the time is over, and returns the report, empty if all is well.
func (w Watch) settle(before State) string {
	deadline := time.Now().Add(cmp.Or(w.Patience, 5*time.Second))
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		after, err := w.Snapshot()
		if err != nil {
			return fmt.Sprintf("look at the machine after the test: %v", err)
		}
		differences := Compare(before, after)
		if len(differences) == 0 {
			return ""
		}
		if time.Now().After(deadline) {
			return "the test left the machine changed:\n\t" + strings.Join(differences, "\n\t")
		}
		time.Sleep(wait)
	}
}

// State is a picture: for each kind of thing, one line a thing, sorted.
type State map[Kind][]string

// Kind is a kind of thing that can be left behind.
type Kind string

// The kinds, in the order of a report.
const (
	Mounts     Kind = "mount"
	Cgroups    Kind = "cgroup"
	Links      Kind = "link"
	Addresses  Kind = "address"
	Rules      Kind = "nftables"
	Namespaces Kind = "named network namespace"
	Processes  Kind = "process"
	Sockets    Kind = "listening socket"
	Files      Kind = "file"
	OpenFiles  Kind = "open file descriptor"
)

var kinds = []Kind{Mounts, Cgroups, Links, Addresses, Rules, Namespaces, Processes, Sockets, Files, OpenFiles}

// fleeting are kinds of which the machine's own may end at any time, so that a missing one means nothing.
var fleeting = []Kind{Processes, Sockets, OpenFiles}

// Snapshot takes a picture of what Default chooses.
func Snapshot(dirs ...string) (State, error) {
	return Default(dirs...).Snapshot()
}

// Snapshot takes a picture. It sees the mount and network namespaces of the calling thread. Without root it sees less
// (no nftables rules); then it also saw less before.
func (w Watch) Snapshot() (State, error) {
	state := State{}
	for _, source := range []struct {
		kind Kind
		list func() ([]string, error)
	}{
		{Mounts, w.mounts},
		{Cgroups, w.cgroups},
		{Links, w.links},
		{Addresses, w.addresses},
		{Rules, w.rules},
		{Namespaces, w.namespaces},
		{Processes, w.processes},
		{Sockets, w.sockets},
		{Files, w.files},
		{OpenFiles, openFiles},
	} {
		found, err := source.list()
		if err != nil {
			return nil, fmt.Errorf("list every %s: %w", source.kind, err)
		}
		slices.Sort(found)
		state[source.kind] = found
	}
	return state, nil
}

// Compare lists what is in after and not in before as "left", and the reverse as "gone".
func Compare(before, after State) []string {
	var differences []string
	for _, kind := range kinds {
		for _, item := range subtract(after[kind], before[kind]) {
			differences = append(differences, fmt.Sprintf("left: %s %s", kind, item))
		}
		if slices.Contains(fleeting, kind) {
			continue
		}
		for _, item := range subtract(before[kind], after[kind]) {
			differences = append(differences, fmt.Sprintf("gone: %s %s", kind, item))
		}
	}
	return differences
}

// subtract returns the items of a that are not in b; an item that is there twice must be subtracted twice (two mounts
// on one mount point are two mounts).
func subtract(a, b []string) []string {
	have := map[string]int{}
	for _, item := range b {
		have[item]++
	}
	var rest []string
	for _, item := range a {
		if have[item] > 0 {
			have[item]--
			continue
		}
		rest = append(rest, item)
	}
	return rest
}

// ours says whether a name belongs to the picture.
func (w Watch) ours(name string) bool {
	return len(w.Tokens) == 0 || slices.ContainsFunc(w.Tokens, func(token string) bool { return strings.Contains(name, token) })
}
