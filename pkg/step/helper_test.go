package step

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// helped is a step that opens the user namespace of a helper, and then path.
func helped(path string) Step {
	return Step{Name: "test.help", Side: Host, Helper: &Helper{Flags: unix.CLONE_NEWUSER, Calls: []kernel.Call{
		kernel.OpenPath(kernel.Path{"/proc/", HelperPID, "/ns/user"}, unix.O_RDONLY|unix.O_CLOEXEC).Into("ns"),
		kernel.Openat(kernel.AtFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into("file"),
	}}}
}

func TestAHelperLivesForItsCallsOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("namespaces need root")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for path, want := range map[string]bool{"/dev/null": true, filepath.Join(t.TempDir(), "missing"): false} {
		var events []Event
		x := &run{Runner: &Runner{Observe: func(e Event) { events = append(events, e) }}, host: kernel.NewHost()}
		err := x.hostStep(0, helped(path))
		if (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
		ours, _ := os.Readlink("/proc/self/ns/user")
		theirs, err := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(int(x.host.Slots["ns"]))))
		if err != nil || theirs == ours {
			t.Errorf("the helper's namespace is %s (%v), ours %s", theirs, err, ours)
		}
		pid := int(events[1].Ret)
		if err := syscall.Kill(pid, 0); events[1].Name != "clone3" || err != syscall.ESRCH {
			t.Errorf("after %s the helper %d is still there: %v", events[1].Name, pid, err)
		}
		if _, left := x.host.Slots[HelperPID]; left {
			t.Error("its pid is still known")
		}
		x.host.CloseAll()
	}
}

func TestAStepListsItsHelpersCalls(t *testing.T) {
	if calls := helped("/dev/null").All(); len(calls) != 3 || calls[0].Name != "clone3" {
		t.Errorf("got %v", calls)
	}
}
