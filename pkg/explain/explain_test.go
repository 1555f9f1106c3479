package explain

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", path, got)
	}
}

// samplePlan is a plan of every kind of step and call that layout cares about.
func samplePlan() step.Plan {
	long := strings.Repeat("/var/lib/minictr/layers/0123456789abcdef:", 6) + "/last"
	return step.Plan{
		{
			Name: "cgroup.create", Topic: book.Cgroups, Side: step.Host,
			Why:   "Give the container a group of its own, so that the kernel counts and limits what its processes use together, whatever they fork.",
			Calls: append([]kernel.Call{kernel.Mkdir("/sys/fs/cgroup/pids/minictr", 0o755).Allowing(unix.EEXIST)}, kernel.WriteFile("/sys/fs/cgroup/pids/minictr/pids.max", "64")...),
			Undo:  func(do step.Do) error { return do(kernel.Rmdir("/sys/fs/cgroup/pids/minictr")) },
		},
		{
			Name: "namespace.clone", Topic: book.Namespaces, Side: step.Clone, Why: "Make the process, in namespaces of its own.",
			Calls: []kernel.Call{kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET})},
			Rule:  "namespaces end with their last process",
		},
		{
			Name: "overlay.mount", Topic: book.CopyOnWrite, Side: step.Inside, Why: "Stack the image's layers, the container's own on top.",
			Calls: []kernel.Call{
				kernel.Fsopen("overlay").Into("fs"),
				kernel.FsconfigString(kernel.FD("fs"), "lowerdir", long).As("mount -t overlay -o lowerdir=" + long + " overlay rootfs"),
				kernel.Fsmount(kernel.FD("fs"), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV).Into("root").IfOK("fs"),
				kernel.Tell(), kernel.Await(),
			},
			Rule: "mounts vanish with their namespace",
			Risk: "nothing would hide the host's files",
		},
	}
}

func TestAPlanIsPrintedWithoutBeingRun(t *testing.T) {
	for _, tc := range []struct {
		golden string
		style  Style
	}{
		{"plan-100.txt", Style{Width: 100}},
		{"plan-all-80.txt", Style{Width: 80, All: true, Shell: true}},
		{"plan-color.txt", Style{Width: 120, Color: true}},
		{"plan-plain.txt", Style{}},
	} {
		var b bytes.Buffer
		if err := Plan(&b, samplePlan(), tc.style); err != nil {
			t.Fatal(err)
		}
		golden(t, tc.golden, b.Bytes())
	}
}

func TestAPlanAsJSONHasOneStepALine(t *testing.T) {
	var b bytes.Buffer
	if err := PlanJSON(&b, samplePlan()); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", b.Bytes())
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		var s PlannedStep
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Index != i || len(s.Calls) == 0 {
			t.Errorf("line %d: %v, %+v", i, err, s)
		}
	}
}

// sampleEvents is what a runner would say of samplePlan, with one late and one
// allowed failure; a failing run ends in an undo.
func sampleEvents(fail bool) []step.Event {
	plan := samplePlan()
	head := func(k step.Kind, i int) step.Event {
		s := plan[i]
		return step.Event{Kind: k, Step: s.Name, Index: i, Side: s.Side, Topic: string(s.Topic), Chapter: s.Topic.String(), Why: s.Why, OK: true}
	}
	at := int64(1_000_000)
	call := func(i int, text, result string, nanos int64, errno unix.Errno, ok bool, pid int) step.Event {
		name, _, _ := strings.Cut(text, "(")
		at += 20_000
		return step.Event{
			Kind: step.CallEvent, Step: plan[i].Name, Index: i, Side: plan[i].Side, Name: name, Call: text,
			Result: result, Nanos: nanos, Start: at, Errno: int(errno), OK: ok, PID: pid,
		}
	}
	events := []step.Event{
		head(step.StepEvent, 0),
		call(0, `mkdirat(AT_FDCWD, "/sys/fs/cgroup/pids/minictr", 0755)`, "-1 EEXIST (File exists)", 4_300, unix.EEXIST, true, 0),
		call(0, `openat(AT_FDCWD, "/sys/fs/cgroup/pids/minictr/pids.max", O_WRONLY|O_CLOEXEC)`, "7", 11_900, 0, true, 0),
		call(0, `write(7, "64", 2)`, "2", 2_000, 0, true, 0),
		head(step.StepEvent, 1),
		call(1, plan[1].Calls[0].String(), "4242", 412_345, 0, true, 0),
		call(1, "close(9)", "0", 800, 0, true, 4242),
		head(step.StepEvent, 2),
		call(2, `fsopen("overlay", FSOPEN_CLOEXEC)`, "5", 15_000, 0, true, 4242),
	}
	if fail {
		bad := call(2, plan[2].Calls[1].String(), "-1 EINVAL (Invalid argument)", 31_000, unix.EINVAL, false, 4242)
		failed := step.Event{Kind: step.FailedEvent, Step: plan[2].Name, Index: 2, Error: bad.Call + ": Invalid argument (EINVAL)", Hint: kernel.Hint("fsconfig", unix.EINVAL)}
		undo := call(0, `unlinkat(AT_FDCWD, "/sys/fs/cgroup/pids/minictr", AT_REMOVEDIR)`, "0", 9_000, 0, true, 0)
		return append(events, bad, failed, head(step.UndoEvent, 0), undo)
	}
	exec := call(2, `execve("/bin/sh", ["sh", "-c", "echo \33[31m"], ["PATH=/bin"])`, "0", 0, 0, true, 4242)
	return append(events,
		call(2, plan[2].Calls[2].String(), "(skipped)", 0, 0, true, 4242),
		call(2, `read(6, "g", 1)`, "1", 12_345_678, 0, true, 4242), exec,
		step.Event{Kind: step.ReadyEvent, PID: 4242, OK: true})
}

func TestEventsAreToldToPeople(t *testing.T) {
	for _, tc := range []struct {
		golden string
		style  Style
		fail   bool
	}{
		{"run-100.txt", Style{Width: 100, Steps: 3}, false},
		{"run-color.txt", Style{Width: 80, Color: true, Steps: 3}, false},
		{"fail-100.txt", Style{Width: 100}, true},
		{"fail-color.txt", Style{Width: 80, Color: true, Steps: 3}, true},
	} {
		var b bytes.Buffer
		tell := Text(&b, tc.style)
		for _, e := range sampleEvents(tc.fail) {
			tell(e)
		}
		golden(t, tc.golden, b.Bytes())
	}
}

func TestEventsAsJSONComeBackWhole(t *testing.T) {
	var b bytes.Buffer
	tell, events := JSON(&b), sampleEvents(true)
	for _, e := range events {
		tell(e)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(events) {
		t.Fatalf("%d lines for %d events", len(lines), len(events))
	}
	for i, line := range lines {
		var e step.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e != events[i] {
			t.Errorf("line %d: %v\ngot  %+v\nwant %+v", i, err, e, events[i])
		}
	}
}

func TestTextKeepsWithinItsWidth(t *testing.T) {
	for _, width := range []int{80, 100, 120} {
		var b bytes.Buffer
		if err := Plan(&b, samplePlan(), Style{Width: width, Shell: true}); err != nil {
			t.Fatal(err)
		}
		tell := Text(&b, Style{Width: width, Steps: 3})
		for _, e := range append(sampleEvents(false), sampleEvents(true)...) {
			tell(e)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns on a page of %d: %s", n, width, line)
			}
		}
	}
}

func TestTextForATerminalHoldsNoControlCharacters(t *testing.T) {
	var b bytes.Buffer
	tell := Text(&b, Style{Width: 80, All: true, Shell: true})
	evil := "a\x1b]0;title\ab\u009bc\xff"
	tell(step.Event{Kind: step.StepEvent, Step: evil, Chapter: evil, Why: evil})
	tell(step.Event{Kind: step.CallEvent, Call: "x(" + evil + ")", Result: evil, Shell: evil + "\n" + evil})
	tell(step.Event{Kind: step.FailedEvent, Step: evil, Error: evil, Hint: evil})
	for _, r := range b.String() {
		if r != '\n' && isControl(r) {
			t.Fatalf("%q in %q", r, b.String())
		}
	}
}

func TestStyleOfAFileIsPlain(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if st := StyleFor(f); st.Color || st.Width != 100 {
		t.Errorf("got %+v", st)
	}
}
