package stracecmp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"minictr/pkg/step"
)

const aLog = `10 execve("/bin/engine", ["engine"], ["A=b"]) = 0
10 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3
10 mkdirat(AT_FDCWD, "/sys/fs/cgroup/pids/x", 0755) = 0
11 futex(0xc00, FUTEX_WAIT, 0, NULL <unfinished ...>
10 clone3({flags=CLONE_NEWNS, exit_signal=SIGCHLD, stack=NULL, stack_size=0}, 88 <unfinished ...>
12 mount("a, \"b) = 0", "/c", NULL, MS_BIND, NULL <unfinished ...>
10 <... clone3 resumed>) = 12
12 <... mount resumed>) = -1 ENOENT (No such file or directory)
12 read(7, "g", 1)                         = 1
12 execve("/bin/sh", ["sh"], []) = 0
11 <... futex resumed>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
12 mount("tmpfs", "/program", "tmpfs", 0, NULL) = 0
--- SIGCHLD {si_signo=SIGCHLD} ---
10 +++ exited with 0 +++
`

func parsed(t *testing.T, log string) []Line {
	t.Helper()
	lines, err := Parse(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestALogIsPutTogether(t *testing.T) {
	var got []string
	for _, l := range parsed(t, aLog) {
		got = append(got, fmt.Sprintf("%d/%d %s %d %s", l.Number, l.PID, l.Name, len(l.Args), l.Result))
	}
	want := []string{
		"1/10 execve 3 0", "2/10 openat 3 3", "3/10 mkdirat 3 0",
		"4/11 futex 4 ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
		"5/10 clone3 2 12", "6/12 mount 5 -1 ENOENT (No such file or directory)",
		"9/12 read 3 1", "10/12 execve 3 0", "12/12 mount 5 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if _, err := Parse(strings.NewReader("10 <... mount resumed>) = 0\n")); err == nil {
		t.Error("a call without beginning was accepted")
	}
}

// theTruth is what explain should say of aLog.
func theTruth() []step.Event {
	event := func(pid int, call, result string, errno int, ok bool) step.Event {
		name, _, _ := strings.Cut(call, "(")
		return step.Event{Kind: step.CallEvent, Step: "a.step", Name: name, Call: call, Result: result, Errno: errno, OK: ok, PID: pid}
	}
	return []step.Event{
		{Kind: step.StepEvent, Step: "a.step"},
		event(0, `mkdirat(AT_FDCWD, "/sys/fs/cgroup/pids/x", 0755)`, "0", 0, true),
		event(0, `clone3({flags=CLONE_NEWNS, exit_signal=SIGCHLD, stack=NULL, stack_size=0}, 88)`, "12", 0, true),
		event(12, `mount("a, \"b) = 0", "/c", NULL, MS_BIND, NULL)`, "-1 ENOENT (No such file or directory)", 2, true),
		event(12, `chdir("/only/if")`, "(skipped)", 0, true),
		event(12, `read(7, "g", 1)`, "1", 0, true),
		event(12, `execve("/bin/sh", ["sh"], [])`, "0", 0, true),
	}
}

func TestEveryLieIsFound(t *testing.T) {
	log := parsed(t, aLog)
	start := Options{Ignore: func(l Line) bool { return l.Number == 1 }}
	if d := Compare(log, theTruth(), start); len(d) > 0 {
		t.Fatalf("differences in the truth:\n%s", strings.Join(d, "\n"))
	}
	if d := Compare(log, theTruth(), Options{}); len(d) != 1 || !strings.Contains(d[0], "/bin/engine") {
		t.Errorf("the engine's own start: %q", d)
	}
	for i := range theTruth() {
		if k := theTruth()[i]; k.Kind != step.CallEvent || k.Result == "(skipped)" {
			continue
		}
		for name, lie := range map[string]func([]step.Event) []step.Event{
			"left out":        func(e []step.Event) []step.Event { return slices.Delete(e, i, i+1) },
			"said twice":      func(e []step.Event) []step.Event { return slices.Insert(e, i, e[i]) },
			"other result":    func(e []step.Event) []step.Event { e[i].Result = "77"; return e },
			"other arguments": func(e []step.Event) []step.Event { e[i].Call = strings.Replace(e[i].Call, `/`, `/x`, 1); return e },
			"one more":        func(e []step.Event) []step.Event { e[i].Call = strings.Replace(e[i].Call, ")", ", 5)", 1); return e },
		} {
			events := lie(theTruth())
			if slices.Equal(events, theTruth()) {
				continue // a call without a path
			}
			if d := Compare(log, events, start); len(d) == 0 {
				t.Errorf("not found: %s %s", theTruth()[i].Call, name)
			}
		}
	}
}

func TestArgumentsThatStracePrintsInOtherWords(t *testing.T) {
	for _, tc := range []struct {
		ours, theirs string
		same         bool
	}{
		{`"abc"`, `"abc"`, true},
		{`"abc"`, `"abd"`, false},
		{`["A=b"]`, `["A=b"] /* 1 var */`, true},
		{`"long text"`, `"long"...`, true},
		{`"other text"`, `"long"...`, false},
		{`O_RDWR|O_CLOEXEC`, `0x80002`, true},
		{`O_RDWR|O_NOCTTY`, `0x80002`, false},
		{`0x80003`, `0x80002`, false},
		{`{rt_dst={…}}`, `0xc000123`, true},
		{`{len=1, filter=0xc000}`, `{len=1, filter=[BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ALLOW)]}`, true},
		{`{len=2, filter=0xc000}`, `{len=1, filter=[BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ALLOW)]}`, false},
		{`{RTM_NEWLINK "br0" 10.1.2.3}`, `[{nlmsg_len=9, nlmsg_type=RTM_NEWLINK, …}, {"br0", 10.1.2.3}]`, true},
		{`{RTM_NEWLINK "br1" 10.1.2.3}`, `[{nlmsg_len=9, nlmsg_type=RTM_NEWLINK, …}, {"br0", 10.1.2.3}]`, false},
		{`{RTM_DELLINK "br0"}`, `[{nlmsg_len=9, nlmsg_type=RTM_NEWLINK, …}, {"br0"}]`, false},
	} {
		if got := sameArg(tc.ours, tc.theirs); got != tc.same {
			t.Errorf("%s and %s: %v", tc.ours, tc.theirs, got)
		}
	}
}

func TestResultsThatStracePrintsInOtherWords(t *testing.T) {
	ackOf := func(errno string) Line {
		return Line{Name: "recvfrom", Result: "36", Args: []string{"3", "[{nlmsg_len=36, nlmsg_type=NLMSG_ERROR, nlmsg_flags=0}, {error=" + errno + ", msg={}}]"}}
	}
	for _, tc := range []struct {
		ours, theirs Line
		same         bool
	}{
		{Line{Result: "18"}, Line{Result: "022"}, true},
		{Line{Result: "2"}, Line{Result: "0x2 (flags O_RDWR)"}, true},
		{Line{Result: "3"}, Line{Result: "4"}, false},
		{Line{Result: "12"}, Line{Result: "12 /* 1 in strace's PID NS */"}, true},
		{Line{Result: "-1 EEXIST (File exists)"}, ackOf("-EEXIST"), true},
		{Line{Result: "-1 EPERM (Operation not permitted)"}, ackOf("-EEXIST"), false},
		{Line{Result: "36"}, ackOf("-EEXIST"), false},
		{Line{Result: "36"}, ackOf("0"), true},
		{Line{Name: "read", Result: "-1 ECANCELED (Operation canceled)"}, Line{Name: "read", Result: "0"}, true},
	} {
		if got := sameResult(tc.ours, tc.theirs); got != tc.same {
			t.Errorf("%s and %s: %v", tc.ours.Result, tc.theirs, got)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add(aLog)
	f.Add("1 x(<unfinished ...>\n1 <... x resumed>, \"\\\") = 0")
	f.Fuzz(func(t *testing.T, log string) {
		lines, err := Parse(strings.NewReader(log))
		if err != nil {
			return
		}
		for _, l := range lines {
			again, ok := parseCall(l.Name + "(" + strings.Join(l.Args, ", ") + ") = " + l.Result)
			if l.Name != "" && l.Result != "" && (!ok || again.Name != l.Name) {
				t.Errorf("%+v does not parse again", l)
			}
		}
	})
}
