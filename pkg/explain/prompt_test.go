package explain

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// script answers the prompts of samplePlan and returns the transcript, and the
// error of the pause that ended it with the index of its step.
func script(t *testing.T, commands string, edit func(*Prompter)) (transcript string, at int, err error) {
	t.Helper()
	var out bytes.Buffer
	snapshots := []Snapshot{aSnapshot(), aSnapshot()}
	snapshots[1].Hostname = "renamed"
	p := &Prompter{In: strings.NewReader(commands), Out: &out, Style: Style{Width: 80}, Echo: true}
	p.Look = func(pid int) (Snapshot, error) {
		s := snapshots[0]
		if len(snapshots) > 1 {
			snapshots = snapshots[1:]
		}
		return s, nil
	}
	if edit != nil {
		edit(p)
	}
	plan := append(samplePlan(), inside("cap.drop"), inside("process.exec"))
	for i := range plan {
		pid := 0
		if i > 1 {
			pid = 4242
		}
		if err := p.Pause(step.Pause{Plan: plan, Index: i, PID: pid}); err != nil {
			return out.String(), i, err
		}
	}
	return out.String(), len(plan), nil
}

func inside(name string, calls ...kernel.Call) step.Step {
	return step.Step{Name: name, Topic: book.Containers, Why: "To be talked about.", Side: step.Inside, Calls: calls}
}

func TestTheConversation(t *testing.T) {
	out, at, err := script(t, "h\nb\na\ne\nn\ns\n\np\na\nb\nn\na\nx\x1b\nc nowhere\nc cap.drop\nc\n", nil)
	if err != nil || at != 5 {
		t.Errorf("ended at %d with %v", at, err)
	}
	golden(t, "conversation.txt", []byte(out))
}

func TestCommandsThatGoOnOrQuit(t *testing.T) {
	for _, tc := range []struct {
		commands string
		prompts  int
		at       int
		err      error
		eof      bool
	}{
		{"n\nnext\n\nn\nn\n", 5, 5, nil, false},
		{"c\n", 1, 5, nil, false},
		{"n\ncontinue", 2, 5, nil, false},
		{"c cap.drop\nq\n", 2, 3, ErrQuit, false},
		{"c process.exec\nn\n", 2, 5, nil, false},
		{"c cgroup.create\nc process.exec\nquit\n", 3, 4, ErrQuit, false},
		{"n\nn\nq", 3, 2, ErrQuit, false},
		{"n\nn\n", 3, 2, ErrQuit, true},
		{"", 1, 0, ErrQuit, true},
	} {
		out, at, err := script(t, tc.commands, nil)
		if prompts := strings.Count(out, "run it?"); prompts != tc.prompts || at != tc.at || !errors.Is(err, tc.err) || errors.Is(err, io.EOF) != tc.eof {
			t.Errorf("%q: %d prompts, at %d, %v; want %+v", tc.commands, prompts, at, err, tc)
		}
	}
}

func TestTheShellReadsOnWhereThePrompterStopped(t *testing.T) {
	in := strings.NewReader("n\nn\ns\nuname\nexit\n")
	var rest string
	out, at, err := script(t, "", func(p *Prompter) {
		p.In = in
		p.Shell = func(pid int) error {
			if pid != 4242 {
				t.Errorf("shell for process %d", pid)
			}
			b, err := io.ReadAll(in)
			rest = string(b)
			return errors.Join(err, errors.New("it said no"))
		}
	})
	if rest != "uname\nexit\n" || at != 2 || !errors.Is(err, ErrQuit) || !strings.Contains(out, "the shell: it said no") {
		t.Errorf("the shell got %q; ended at %d with %v:\n%s", rest, at, err, out)
	}
}

// TestStepByStepThroughARealPlan: the runner pauses, the user looks, goes into
// the half-made container, changes its name by hand, and quits.
func TestStepByStepThroughARealPlan(t *testing.T) {
	needRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	host, _ := os.Hostname()
	commands := strings.NewReader("n\nn\nn\na\ns\nb\nq\n")
	typed := filepath.Join(t.TempDir(), "typed")
	if err := os.WriteFile(typed, []byte("hostname; echo pid $$\nreadlink /proc/self/ns/mnt; pwd\nhostname by-hand\nexit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(typed)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	said, err := os.CreateTemp(t.TempDir(), "said")
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	p := &Prompter{In: commands, Out: said, Style: Style{Width: 100}, Echo: true, Shell: Shell(input, said, said)}
	exec := inside("process.exec", kernel.Execve("/bin/true", []string{"true"}, nil))
	plan := step.Plan{
		{
			Name: "namespace.clone", Topic: book.Namespaces, Side: step.Clone, Why: "To be talked about.", Rule: "it ends",
			Calls: []kernel.Call{kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_NEWUTS | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_CLEAR_SIGHAND})},
		},
		inside("rootfs.private", kernel.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), kernel.Chdir("/tmp")),
		inside("namespace.hostname", kernel.Sethostname("by-plan")),
		exec,
	}
	_, err = (&step.Runner{Pause: p.Pause}).Run(plan)
	if !errors.Is(err, ErrQuit) {
		t.Errorf("the run ended with %v", err)
	}
	b, _ := os.ReadFile(said.Name())
	out := string(b)
	mnt, _ := os.Readlink("/proc/self/ns/mnt")
	for _, want := range []string{
		"- hostname  " + host + "\n", "+ hostname  by-plan\n", // what the step changed
		"\nby-plan\npid 2\nmnt:[", "\n/tmp\n", // what the shell sees
		"  by-hand\n", // what the user changed
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(out, mnt) {
		t.Error("the shell stayed in our mount namespace")
	}
	if t.Failed() {
		t.Log(out)
	}
	if now, _ := os.Hostname(); now != host {
		t.Errorf("our own host name became %q", now)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func TestAShellNeedsAProcess(t *testing.T) {
	needRoot(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	before := openFiles(t)
	if err := Shell(null, null, null)(1 << 22); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
	if now := openFiles(t); now != before {
		t.Errorf("%d descriptors became %d", before, now)
	}
}
