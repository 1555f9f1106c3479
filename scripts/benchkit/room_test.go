package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
)

// mess leaves everything behind that an engine could: a mount, a link, cgroups, files, a process.
const mess = `set -e
mkdir /run/m; mount -t tmpfs none /run/m
ip link add mess0 type bridge
touch /etc/mess /var/lib/mess
for c in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/pids; do
	if [ -e $c/cgroup.procs ]; then mkdir -p $c/mess/below; fi
done
sleep 1000 &
`

// ours is what the tests look for afterwards, on a machine where others work too.
var ours = leak.Watch{Tokens: []string{"minictr-bench", "mess"}}

// room is the bench's own command line, running a shell script in the room.
func room(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: a room is made of namespaces")
	}
	cmd := exec.Command("/proc/self/exe", "room", "sh", "-c", script)
	temp := filepath.Join(t.TempDir(), "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "BENCH_TEST_RUN=1", "BENCH_TEMP="+temp)
	t.Cleanup(func() {
		if _, err := os.Stat(temp); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the temporary directory is still there (%v)", err)
		}
		for _, file := range []string{"/etc/mess", "/var/lib/mess"} {
			if _, err := os.Stat(file); err == nil {
				t.Errorf("%s is outside the room", file)
			}
		}
		groups, err := findCgroups()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range groups {
			if left, _ := filepath.Glob(h.directory("minictr-bench-" + strconv.Itoa(cmd.Process.Pid))); len(left) > 0 {
				t.Errorf("cgroups are left: %q", left)
			}
		}
	})
	return cmd
}

func TestARoomIsGoneWithEverythingInIt(t *testing.T) {
	ours.Check(t)
	out, err := room(t, mess+"echo made a mess").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "made a mess") {
		t.Fatalf("the room: %v: %s", err, out)
	}
}

func TestARoomThatIsInterruptedLeavesNothing(t *testing.T) {
	ours.Check(t)
	cmd := room(t, mess+"echo ready; sleep 1000")
	var out bytes.Buffer
	words, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := words.Read(make([]byte, 10)); err != nil {
		_ = cmd.Wait()
		t.Fatalf("the room: %v: %s", err, &out)
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("it ended with %v: %s", err, &out)
	}
}

func TestARoomReturnsItsCommandsExitCode(t *testing.T) {
	var exit *exec.ExitError
	if err := room(t, "exit 42").Run(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("got %v, want exit code 42", err)
	}
}

func TestAWorldKeepsItsMountsToItself(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a world is a mount namespace")
	}
	dir := t.TempDir()
	w, err := newWorld(func() error { return unix.Mount("none", dir, "tmpfs", 0, "") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.output(nil, "touch", filepath.Join(dir, "inside")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.output(nil, "test", "-e", filepath.Join(dir, "inside")); err != nil {
		t.Errorf("a second command does not see what the first one did: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "inside")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it can be seen from outside (%v)", err)
	}
	close(w.jobs)
}

func TestEventuallyGivesUp(t *testing.T) {
	if eventually(time.Millisecond, func() bool { return false }) {
		t.Error("what never happens was said to have happened")
	}
	n := 0
	if !eventually(time.Minute, func() bool { n++; return n == 2 }) {
		t.Error("what happens at the second look was missed")
	}
}
