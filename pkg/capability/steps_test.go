package capability

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// statusAfter runs steps in a child that then prints its status file by
// executing a program, and returns its sets and its no_new_privs.
func statusAfter(t *testing.T, flags kernel.CloneFlags, plan ...any) (Sets, string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to have capabilities to drop")
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := kernel.NewHost()
	h.Slots["out"] = out.Fd()
	calls := []kernel.Call{kernel.Dup3(kernel.FD("out"), 1, false)}
	for _, part := range plan {
		switch part := part.(type) {
		case step.Step:
			calls = append(calls, part.Calls...)
		case kernel.Call:
			calls = append(calls, part)
		}
	}
	calls = append(calls, kernel.Execve("/bin/cat", []string{"cat", "/proc/self/status"}, nil))
	c, err := h.Spawn(kernel.Clone(kernel.CloneArgs{Flags: flags}), calls)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for c.Hear() {
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Executed(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	sets, err := parseStatus(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "NoNewPrivs:\t")
	return sets, rest[:1]
}

func own(t *testing.T) Sets {
	t.Helper()
	s, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var toUser = []any{kernel.Setgroups(nil), kernel.Setresgid(65534), kernel.Setresuid(65534)}

func TestRootOfAContainerHasDockersCapabilities(t *testing.T) {
	have := own(t)
	s := Default & have.Available()
	sets, _ := FromSpec(s.Spec(), have.Available())
	got, nnp := statusAfter(t, 0, Bound(s, have.Bounding), sets.Set())
	if want := (Sets{Bounding: s, Permitted: s, Effective: s}); got != want || nnp != "0" {
		t.Errorf("got %+v, no_new_privs %s; want %+v", got, nnp, want)
	}
}

func TestAUserOfAContainerHasNoneButMayGetThoseOfItsFiles(t *testing.T) {
	have := own(t)
	s := Default & have.Available()
	sets, _ := FromSpec(s.Spec(), have.Available())
	plan := append([]any{Bound(s, have.Bounding), KeepOnSetuid()}, toUser...)
	got, nnp := statusAfter(t, 0, append(plan, sets.Set(), NoNewPrivs())...)
	if want := (Sets{Bounding: s}); got != want || nnp != "1" {
		t.Errorf("got %+v, no_new_privs %s; want %+v", got, nnp, want)
	}
}

// TestAUserKeepsPowersUntilExecve shows what KeepOnSetuid is for: a program
// that only root may read is still executed.
func TestAUserKeepsPowersUntilExecve(t *testing.T) {
	have := own(t)
	sets := Sets{have.Available(), have.Available(), have.Available(), 0, 0}
	withKeep := append(append([]any{KeepOnSetuid()}, toUser...), sets.Set())
	if got, _ := statusAfter(t, 0, withKeep...); got.Effective != 0 {
		t.Errorf("after execve still %v", got.Effective)
	}
	h := kernel.NewHost()
	calls := append([]kernel.Call{kernel.Setresuid(65534)}, sets.Set().Calls...)
	c, err := h.Spawn(kernel.Clone(kernel.CloneArgs{}), append(calls, kernel.Execve("/bin/true", []string{"true"}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for c.Hear() {
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Executed(); err == nil || !strings.Contains(err.Error(), "capset") {
		t.Errorf("without it capset should have been refused: %v", err)
	}
}

func TestAmbientCapabilitiesReachAUsersProgram(t *testing.T) {
	have := own(t)
	bind := Of(10) & have.Available()
	if bind == 0 {
		t.Skip("needs CAP_NET_BIND_SERVICE")
	}
	plan := append([]any{Bound(bind, have.Bounding), KeepOnSetuid()}, toUser...)
	got, _ := statusAfter(t, 0, append(plan, Sets{bind, bind, bind, bind, bind}.Set())...)
	if want := (Sets{bind, bind, bind, bind, bind}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDroppingAllLeavesNothing(t *testing.T) {
	have := own(t)
	if got, _ := statusAfter(t, 0, Bound(0, have.Bounding), Sets{}.Set()); got != (Sets{}) {
		t.Errorf("got %+v", got)
	}
}

func TestPrivilegedKeepsAllWeHave(t *testing.T) {
	have := own(t)
	s, err := Resolve(nil, nil, true, have.Available())
	if err != nil {
		t.Fatal(err)
	}
	sets, warnings := FromSpec(s.Spec(), have.Available())
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	got, _ := statusAfter(t, 0, Bound(s, have.Bounding), sets.Set())
	if want := (Sets{Bounding: s, Permitted: s, Effective: s}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestANewUserNamespaceHasAllToDrop: there even what the host's root lacks is
// in the bounding set.
func TestANewUserNamespaceHasAllToDrop(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := statusAfter(t, unix.CLONE_NEWUSER, Bound(Default, all), Sets{Default, Default, Default, 0, 0}.Set())
	// No uid is mapped, so the program is not root's and execve empties the rest.
	if want := (Sets{Bounding: Default}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCapabilityCallsPrintAsStraceDoes(t *testing.T) {
	s := Of(0, 5)
	for _, tc := range []struct {
		call kernel.Call
		want string
	}{
		{Bound(0, Of(10)).Calls[0], "prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE)"},
		{KeepOnSetuid().Calls[0], "prctl(PR_SET_KEEPCAPS, 1)"},
		{Sets{s, s, s, 0, 0}.Set().Calls[0], "capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=1<<CAP_CHOWN|1<<CAP_KILL, inheritable=0})"},
		{Sets{s, s, s, s, s}.Set().Calls[1], "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)"},
		{Sets{s, s, s, s, s}.Set().Calls[3], "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0)"},
		{NoNewPrivs().Calls[0], "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)"},
	} {
		if got := tc.call.String(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
