package main

import (
	native "encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// agent listens for the calls of containers, as an engine's seccomp agent does:
// they go their way, or fail with ENOMEDIUM, which no file system would say.
type agent struct {
	t       *testing.T
	path    string
	socket  *net.UnixListener
	refuses bool

	mu     sync.Mutex
	states []specs.ContainerProcessState
	calls  int
}

func newAgent(t *testing.T, path string, refuses bool) *agent {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, path: path, socket: l, refuses: refuses}
	t.Cleanup(func() { l.Close() })
	go a.serve()
	return a
}

// serve ends when the socket closes.
func (a *agent) serve() {
	for {
		conn, err := a.socket.AcceptUnix()
		if err != nil {
			return
		}
		if err := a.greet(conn); err != nil {
			a.t.Error(err)
		}
		conn.Close()
	}
}

// greet reads what a runtime sends: the state, and the listener beside it.
func (a *agent) greet(conn *net.UnixConn) error {
	text, control := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4))
	n, c, _, _, err := conn.ReadMsgUnix(text, control)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil || len(messages) != 1 {
		return errors.Join(err, errors.New("not one control message"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return errors.Join(err, errors.New("not one descriptor"))
	}
	var state specs.ContainerProcessState
	if err := json.Unmarshal(text[:n], &state); err != nil {
		return err
	}
	a.mu.Lock()
	a.states = append(a.states, state)
	a.mu.Unlock()
	go a.listen(fds[0])
	return nil
}

// listen answers until the last process with the filter is gone.
func (a *agent) listen(fd int) {
	defer unix.Close(fd)
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err == unix.EINTR {
			continue
		}
		var notif [80]byte // struct seccomp_notif
		err := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, &notif[0])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		var answer [24]byte // struct seccomp_notif_resp: id, val, error, flags
		copy(answer[:8], notif[:8])
		if a.refuses {
			no := -int32(unix.ENOMEDIUM)
			native.NativeEndian.PutUint32(answer[16:], uint32(no))
		} else {
			native.NativeEndian.PutUint32(answer[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		}
		_ = ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, &answer[0]) // the caller may have been killed
		a.mu.Lock()
		a.calls++
		a.mu.Unlock()
	}
}

func ioctl(fd int, request uintptr, arg *byte) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}

// heard takes the states that have come so far.
func (a *agent) heard() []specs.ContainerProcessState {
	a.mu.Lock()
	defer a.mu.Unlock()
	states := a.states
	a.states = nil
	return states
}

// listens has the bundle's profile leave calls to the agent.
func (b *bench) listens(path string, calls ...string) {
	b.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: path, ListenerMetadata: `what "the" engine said`,
		Syscalls: []specs.LinuxSyscall{{Names: calls, Action: specs.ActNotify}},
	}
}

func TestAListenerAnswersForTheKernel(t *testing.T) {
	for name, change := range map[string]func(*specs.Spec){
		"no new privileges": func(s *specs.Spec) { s.Process.NoNewPrivileges = true },
		"new privileges":    func(s *specs.Spec) { s.Process.NoNewPrivileges = false },
		"no capability": func(s *specs.Spec) {
			s.Process.NoNewPrivileges, s.Process.Capabilities = true, &specs.LinuxCapabilities{}
		},
		"user, capabilities": func(s *specs.Spec) { s.Process.NoNewPrivileges, s.Process.User.UID = false, 1000 },
		"no wait for the dying": func(s *specs.Spec) {
			s.Linux.Seccomp.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := newAgent(t, filepath.Join(b.dir, "agent"), true)
			b.listens(a.path, "mkdir", "mkdirat")
			change(b.spec)
			b.program("sh", "-c", "mkdir /tmp/x; ls /tmp")
			b.save()
			if out := b.do("run", b.id); !strings.Contains(out, "No medium found") {
				t.Errorf("mkdir was not answered: %q", out)
			}
			states := a.heard()
			if len(states) != 1 {
				t.Fatalf("%d states", len(states))
			}
			s := states[0]
			if s.Version != specs.Version || len(s.Fds) != 1 || s.Fds[0] != specs.SeccompFdName || s.Pid <= 0 || s.State.Pid != s.Pid ||
				s.Metadata != `what "the" engine said` || s.State.ID != b.id || s.State.Status != specs.StateCreating || s.State.Bundle != b.bundle {
				t.Errorf("the agent was told %+v", s)
			}
		})
	}
}

// What our own process still calls after the filter is loaded is the agent's
// business, too.
func TestAListenerMayAnswerTheCallsThatStartTheProgram(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		b := newBench(t)
		a := newAgent(t, filepath.Join(b.dir, "agent"), false)
		b.listens(a.path, "read", "close", "execve", "openat", "setresuid", "prctl", "fcntl")
		b.spec.Process.NoNewPrivileges = nnp
		b.program("true")
		b.save()
		b.do("create", b.id)
		b.do("start", b.id)
		b.await(specs.StateStopped)
		if a.heard(); a.calls == 0 {
			t.Error("nobody was asked")
		}
		b.do("delete", b.id)
	}
}

func TestExecHasAListenerOfItsOwn(t *testing.T) {
	b := newBench(t)
	a := newAgent(t, filepath.Join(b.dir, "agent"), true)
	b.listens(a.path, "mkdir", "mkdirat")
	b.running()
	a.heard()
	r, err := b.try("exec", b.id, "mkdir", "/tmp/x")
	if err != nil || r.code != 1 || !strings.Contains(r.out, "No medium found") {
		t.Errorf("exit status %d, %q, %v", r.code, r.out, err)
	}
	states := a.heard()
	if len(states) != 1 || states[0].State.Pid != b.state().Pid || states[0].Pid == states[0].State.Pid || states[0].State.Status != specs.StateRunning {
		t.Errorf("the agent was told %+v", states)
	}
}

func TestAnAgentThatIsGoneLeavesNoCallWaiting(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "agent")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // takes the listener and drops it
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Read(make([]byte, 1<<16)) // without room for it the descriptor is closed
			conn.Close()
		}
	}()
	b.listens(path, "mkdir", "mkdirat")
	b.program("mkdir", "/tmp/x")
	b.save()
	if r, err := b.try("run", b.id); err != nil || r.code != 1 || !strings.Contains(r.out, "Function not implemented") {
		t.Errorf("exit status %d, %q, %v", r.code, r.out, err)
	}
}

func TestAProfileWithoutAnAgentStartsNothing(t *testing.T) {
	b := newBench(t)
	b.program("true")
	for _, test := range []struct{ want, path string }{
		{"failed to connect with seccomp agent", filepath.Join(b.dir, "nobody")},
		{"failed to connect with seccomp agent", "@minictr-nobody-listens-here"},
		{"a rule says SCMP_ACT_NOTIFY and listenerPath says nobody", ""},
	} {
		b.listens(test.path, "mkdir")
		b.spec.Linux.Seccomp.ListenerMetadata = ""
		b.save()
		b.fail(1, test.want, "run", b.id)
		b.fail(1, "container does not exist", "state", b.id)
	}
	socket := filepath.Join(b.dir, "stranger")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.listens(socket, "mkdir")
	b.save()
	b.fail(1, "failed to connect with seccomp agent", "create", b.id)
}

// TestAnAgentThatIsThereHearsOfEveryContainer: with a profile that asks nobody,
// an agent that is there is told, and one that is not there is not missed.
func TestAnAgentThatIsThereHearsOfEveryContainer(t *testing.T) {
	b := newBench(t)
	a := newAgent(t, filepath.Join(b.dir, "agent"), false)
	b.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: a.path, ListenerMetadata: "all"}
	if out := b.run("echo", "ran"); out != "ran\n" {
		t.Errorf("output %q", out)
	}
	if states := a.heard(); len(states) != 1 || states[0].Metadata != "all" {
		t.Errorf("the agent was told %+v", states)
	}
	b.spec.Linux.Seccomp.ListenerPath = filepath.Join(b.dir, "nobody")
	if out := b.run("echo", "ran"); out != "ran\n" {
		t.Errorf("output %q", out)
	}
}
