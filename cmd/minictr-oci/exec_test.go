package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/terminal"
)

// running starts a container that sleeps.
func (b *bench) running() {
	b.Helper()
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", b.id)
	b.await(specs.StateRunning)
}

func TestExecRunsInTheContainerWithWhatItsFlagsSay(t *testing.T) {
	b := newBench(t)
	b.spec.Process.Env = append(b.spec.Process.Env, "A=1")
	b.running()
	for _, test := range []struct {
		want string
		args []string
	}{
		{"minictr", []string{b.id, "hostname"}},
		{"/", []string{b.id, "pwd"}},
		{"/tmp", []string{"--cwd", "/tmp", b.id, "pwd"}},
		{"1 2", []string{"-e", "B=2", b.id, "sh", "-c", "echo $A $B"}},
		{"uid=7 gid=8 groups=9", []string{"--user", "7:8", "--additional-gids", "9", b.id, "id"}},
		{"NoNewPrivs:\t1", []string{"--no-new-privs", b.id, "grep", "NoNewPrivs", "/proc/self/status"}},
		{"CapEff:\t0000000020000420", []string{b.id, "grep", "CapEff", "/proc/self/status"}},
		{"CapEff:\t0000000020200420", []string{"--cap", "CAP_SYS_ADMIN", b.id, "grep", "CapEff", "/proc/self/status"}},
	} {
		if out := strings.TrimSpace(b.do(append([]string{"exec"}, test.args...)...)); out != test.want {
			t.Errorf("exec %v: %q, want %q", test.args, out, test.want)
		}
	}
	if r, _ := b.try("exec", b.id, "sh", "-c", "exit 42"); r.code != 42 {
		t.Errorf("exit status %d, want 42", r.code)
	}
	b.fail(255, `exec: "nosuch": executable file not found in $PATH`, "exec", b.id, "nosuch")
	b.fail(255, "process args cannot be empty", "exec", b.id)
	b.fail(255, "for uid failed", "exec", "--user", "x", b.id, "true")
}

func TestExecTakesAProcessAsJSON(t *testing.T) {
	b := newBench(t)
	b.running()
	file := filepath.Join(b.dir, "process.json")
	content, err := json.Marshal(specs.Process{Args: []string{"sh", "-c", "id -u; pwd"}, Cwd: "/etc", User: specs.User{UID: 5}, Env: []string{"PATH=/bin"}})
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out := b.do("exec", "--process", file, b.id); out != "5\n/etc\n" {
		t.Errorf("output %q", out)
	}
}

func TestDetachedExecIsAMemberOfTheContainersCgroup(t *testing.T) {
	b := newBench(t)
	b.running()
	pidFile := filepath.Join(b.dir, "pid")
	b.do("exec", "--detach", "--pid-file", pidFile, b.id, "sleep", "999")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	if err := json.Unmarshal([]byte(b.do("ps", "--format", "json", b.id)), &pids); err != nil {
		t.Fatal(err)
	}
	if pid, _ := strconv.Atoi(string(content)); len(pids) != 2 || pids[0] != pid && pids[1] != pid {
		t.Errorf("ps: %v, want 2 with %s", pids, content)
	}
	first := strconv.Itoa(b.state().Pid)
	if a, z := cgroups(t, first), cgroups(t, string(content)); a != z {
		t.Errorf("the first process is in\n%s\nthe second in\n%s", a, z)
	}
	if out := b.do("ps", b.id); !strings.Contains(out, "sleep 999") || !strings.Contains(out, "sleep 1000") {
		t.Errorf("ps: %s", out)
	}
}

func cgroups(t *testing.T, pid string) string {
	t.Helper()
	content, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestKillAllReachesProcessesThatOutliveTheFirst(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Namespaces = b.spec.Linux.Namespaces[1:] // share the host's pid namespace: nothing else ends them
	b.program("sh", "-c", "sleep 1000 & exit 0")
	b.save()
	b.do("run", "--detach", b.id)
	b.await(specs.StateStopped)
	b.fail(1, "container not running", "kill", b.id, "TERM")
	b.do("kill", b.id, "KILL") // as --all: nothing else could end them
	for deadline := time.Now().Add(10 * time.Second); strings.TrimSpace(b.do("ps", "--format", "json", b.id)) != "[]"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process is left")
		}
	}
	b.do("delete", b.id)
}

func TestDeleteEndsWhatASharedPidNamespaceKeepsAlive(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Namespaces = b.spec.Linux.Namespaces[1:]
	b.program("sh", "-c", "sleep 1000 & exit 0")
	b.save()
	b.do("run", b.id) // the leak check finds what is left
}

// consoleSocket listens for a terminal's master.
func consoleSocket(t *testing.T, dir string) (path string, receive func() *os.File) {
	t.Helper()
	path = filepath.Join(dir, "console.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path, func() *os.File {
		t.Helper()
		if err := l.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		c, err := l.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		name, oob := make([]byte, 100), make([]byte, 100)
		n, oobn, _, _, err := c.ReadMsgUnix(name, oob)
		if err != nil || n == 0 {
			t.Fatalf("receive the terminal: %d bytes, %v", n, err)
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			t.Fatalf("control messages: %v %v", messages, err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			t.Fatalf("descriptors: %v %v", fds, err)
		}
		f := os.NewFile(uintptr(fds[0]), "console")
		t.Cleanup(func() { f.Close() })
		return f
	}
}

// until reads from a terminal until want has come.
func until(t *testing.T, f *os.File, want string) string {
	t.Helper()
	got := make(chan string, 1)
	go func() { // ends with the text, or with the terminal
		var all []byte
		buf := make([]byte, 1000)
		for !strings.Contains(string(all), want) {
			n, err := f.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil {
				break
			}
		}
		got <- string(all)
	}()
	select {
	case s := <-got:
		if !strings.Contains(s, want) {
			t.Fatalf("the terminal says %q, want %q", s, want)
		}
		return s
	case <-time.After(20 * time.Second):
		t.Fatalf("the terminal does not say %q", want)
	}
	return ""
}

func TestTheConsoleSocketGetsTheTerminal(t *testing.T) {
	b := newBench(t)
	socket, receive := consoleSocket(t, b.dir)
	b.spec.Process.Terminal = true
	b.spec.Process.ConsoleSize = &specs.Box{Height: 33, Width: 99}
	b.program("sh", "-c", "tty; stty size; test -c /dev/console && echo console; read line; echo got $line")
	b.save()
	b.do("create", "--console-socket", socket, b.id)
	console := receive()
	b.do("start", b.id)
	out := until(t, console, "console")
	if !strings.Contains(out, "/dev/pts/0") || !strings.Contains(out, "33 99") {
		t.Errorf("the terminal says %q", out)
	}
	if _, err := console.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	until(t, console, "got hello")
	b.await(specs.StateStopped)
	b.do("delete", b.id)
}

// An engine reads what create prints until its end: a container that waits for
// start on a terminal of its own must not hold the pipe open.
func TestAContainerWithATerminalLetsGoOfOurStreams(t *testing.T) {
	b := newBench(t)
	socket, receive := consoleSocket(t, b.dir)
	b.spec.Process.Terminal = true
	b.program("sleep", "100")
	b.save()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	create := exec.Command(binary(t), "--root", b.root, "create", "--bundle", b.bundle, "--console-socket", socket, b.id)
	create.Stdout, create.Stderr = write, write
	err = create.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	receive()
	if err := read.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(read); err != nil || len(said) > 0 {
		t.Errorf("create said %q, and then: %v", said, err)
	}
	if err := create.Wait(); err != nil {
		t.Error(err)
	}
	b.do("delete", "--force", b.id)
}

func TestExecWithATerminalInTheForeground(t *testing.T) {
	b := newBench(t)
	b.running()
	r, err := b.try("exec", "--tty", b.id, "sh", "-c", "tty; exit 3")
	if err != nil || r.code != 3 || strings.TrimSpace(r.out) != "/dev/pts/0" {
		t.Errorf("exit status %d %v: %q", r.code, err, r.out)
	}
	socket, receive := consoleSocket(t, b.dir)
	b.do("exec", "--tty", "--detach", "--console-socket", socket, b.id, "sh", "-c", "tty; read x")
	until(t, receive(), "/dev/pts/")
}

// TestRunIsTransparent types into a runtime that itself runs in a terminal.
func TestRunConnectsTheUsersTerminalWithTheContainers(t *testing.T) {
	b := newBench(t)
	b.spec.Process.Terminal = true
	b.program("sh", "-c", "stty size; read line; echo got $line; exit 5")
	b.save()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	user, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	if err := terminal.Resize(user, terminal.Size{Width: 80, Height: 21}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary(t), "--root", b.root, "run", b.id)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = b.bundle, user, user, user
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, master, "21 80")
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	until(t, master, "got hello")
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit status %d, want 5", code)
	}
}

func TestUpdateChangesLimitsAndEventsTellThem(t *testing.T) {
	b := newBench(t)
	b.running()
	b.do("update", "--pids-limit", "77", "--memory", "64m", b.id)
	var event struct {
		Type, ID string
		Data     struct {
			Memory struct{ Usage struct{ Limit uint64 } }
			Pids   struct{ Current, Limit uint64 }
		}
	}
	if err := json.Unmarshal([]byte(b.do("events", "--stats", b.id)), &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "stats" || event.ID != b.id || event.Data.Pids.Limit != 77 || event.Data.Pids.Current != 1 || event.Data.Memory.Usage.Limit != 64<<20 {
		t.Errorf("events: %+v", event)
	}
	r, err := b.tryWith(func(c *exec.Cmd) { c.Stdin = strings.NewReader(`{"pids": {"limit": 78}}`) }, "update", "-r", "-", b.id)
	if err != nil || r.code != 0 {
		t.Errorf("update -r -: %v %s", err, r.out)
	}
	if out := b.do("events", "--stats", b.id); !strings.Contains(out, `"limit":78`) {
		t.Errorf("events: %s", out)
	}
	b.fail(1, "memory", "update", "--memory", "x", b.id)
}
