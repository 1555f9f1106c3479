package network

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// The tests play with hosts that are network namespaces: a test's own thread
// moves into a fresh one, and what it calls the host is that. Containers are
// this test binary, started as a server by a plan.

const patience = 5 * time.Second

func TestMain(m *testing.M) {
	if port := os.Getenv("NETTEST_SERVE"); port != "" {
		serve(port)
		return
	}
	if dir := os.Getenv("NETTEST_CHURN"); dir != "" {
		if err := churn(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is the program of a test's container: it tells everybody who connects
// which address it sees.
func serve(port string) {
	err := answer(":" + port)
	if err == nil {
		select {}
	}
	os.Exit(1)
}

// answer tells everybody who connects to addr by TCP or asks by UDP which
// address it sees, for as long as the process lives.
func answer(addr string) error {
	udp, err := net.ListenPacket("udp4", addr)
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 100)
		for {
			if _, from, err := udp.ReadFrom(buf); err == nil {
				_, _ = udp.WriteTo([]byte(from.String()+"\n"), from)
			}
		}
	}()
	tcp, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	go func() {
		for {
			if c, err := tcp.Accept(); err == nil {
				_, _ = io.WriteString(c, c.RemoteAddr().String()+"\n")
				_ = c.Close()
			}
		}
	}()
	return nil
}

// host is the network namespace of the test's goroutine.
type host struct {
	*testing.T
	runDir string
}

// newHost moves the test's thread into a fresh network namespace. The thread
// is never unlocked, so it ends with the test.
func newHost(t *testing.T) *host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	h := &host{t, t.TempDir()}
	h.up("lo")
	return h
}

func (h *host) up(name string) {
	h.Helper()
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		h.Error(err)
	}
}

func (h *host) connect(id string, ports ...string) *Endpoint {
	h.Helper()
	var opt Options
	for _, p := range ports {
		m, err := ParsePort(p)
		if err != nil {
			h.Fatal(err)
		}
		opt.Ports = append(opt.Ports, m...)
	}
	ep, err := Connect(h.runDir, id, opt)
	if err != nil {
		h.Fatal(err)
	}
	return ep
}

// container is a running server on port 80.
type container struct {
	*Endpoint
	plan step.Plan
	pid  int
	host map[kernel.Slot]uintptr
	// how long the host's network steps took, and the container's own
	took map[string]time.Duration
}

// plan is the network part of a container's plan around a server.
func (h *host) plan(ep *Endpoint) step.Plan {
	exe, err := os.Executable()
	if err != nil {
		h.Fatal(err)
	}
	plan := step.Plan(Prepare(ep))
	plan = append(plan, cloneStep())
	plan = append(plan, Attach(ep)...)
	return append(plan, Configure(ep), step.Step{
		Name: "test.exec", Side: step.Inside,
		Calls: []kernel.Call{kernel.SetPdeathsig(unix.SIGKILL), kernel.Execve(exe, []string{"server"}, []string{"NETTEST_SERVE=80"})},
	})
}

func cloneStep() step.Step {
	return step.Step{
		Name: "test.clone", Side: step.Clone,
		Calls: []kernel.Call{kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_NEWNET | unix.CLONE_NEWPID})},
	}
}

// start runs a container and waits until its server answers.
func (h *host) start(ep *Endpoint) *container {
	h.Helper()
	c := &container{Endpoint: ep, plan: h.plan(ep), took: map[string]time.Duration{}}
	r := step.Runner{Observe: func(e step.Event) {
		c.took[e.Step] += time.Duration(e.Nanos)
		if testing.Verbose() {
			h.Logf("%-18s %-9s %6.3f ms %s = %s", e.Step, e.Kind, float64(e.Nanos)/1e6, e.Call, e.Result)
		}
	}}
	p, err := r.Run(c.plan)
	if err != nil {
		h.Fatal(err)
	}
	c.pid, c.host = p.PID, p.Slots
	h.Cleanup(func() { c.kill() })
	h.eventually(func() error { _, err := ask("tcp4", netip.AddrPortFrom(ep.IP, 80)); return err })
	return c
}

func (c *container) kill() {
	if c.pid != 0 {
		_ = syscall.Kill(c.pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(c.pid, nil, 0, nil)
		c.pid = 0
	}
}

// stop ends the container and undoes its plan.
func (c *container) stop(h *host) {
	h.Helper()
	c.kill()
	CloseReserved(c.host)
	if err := step.Undo(c.plan, names(c.plan), nil); err != nil {
		h.Fatal(err)
	}
}

func names(p step.Plan) []string {
	all := make([]string, len(p))
	for i, s := range p {
		all[i] = s.Name
	}
	return all
}

// ask connects, and returns which address the server says it sees.
func ask(network string, to netip.AddrPort) (string, error) {
	c, err := net.DialTimeout(network, to.String(), time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if network == "udp4" {
		if _, err := c.Write([]byte("?")); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "", err
	}
	from, _, err := net.SplitHostPort(strings.TrimSpace(line))
	return from, err
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func (h *host) eventually(try func() error) {
	h.Helper()
	if err := patiently(try); err != nil {
		h.Fatal(err)
	}
}

// patiently tries until it works or too much time has passed.
func patiently(try func() error) (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// wantSeen asks a server and compares the address that it saw.
func wantSeen(t *testing.T, network, to, want string) {
	t.Helper()
	got, err := ask(network, netip.MustParseAddrPort(to))
	if err != nil || got != want {
		t.Errorf("%s %s: the server saw %q, want %q (%v)", network, to, got, want, err)
	}
}

func wantUnreachable(t *testing.T, network, to string) {
	t.Helper()
	if got, err := ask(network, netip.MustParseAddrPort(to)); err == nil {
		t.Errorf("%s %s answered %q", network, to, got)
	}
}

// node is another machine: a network namespace with a cable to the host.
type node struct {
	h    *host
	work chan func()
}

// newNode makes a machine whose interface has address addr; the host's end of
// the cable, called link, has hostAddr. The machine knows no other way than
// the host.
func (h *host) newNode(link, hostAddr, addr string) *node {
	h.Helper()
	n := &node{h, make(chan func())}
	ready := make(chan int)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		fd, oerr := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil || oerr != nil {
			fd = -1
		}
		ready <- fd
		for f := range n.work {
			f()
		}
	}()
	fd := <-ready
	if fd < 0 {
		h.Fatal("make the node's namespace")
	}
	defer unix.Close(fd)
	h.Cleanup(func() { close(n.work) })
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: link}, PeerName: "wire0", PeerNamespace: netlink.NsFd(fd)}
	if err := netlink.LinkAdd(veth); err != nil {
		h.Fatal(err)
	}
	h.setAddr(link, hostAddr)
	n.do(func() { h.setAddr("wire0", addr); h.up("lo"); h.ready("wire0") })
	h.ready(link)
	return n
}

// ready waits until the interface sends: see Plug on why it may not yet.
func (h *host) ready(link string) {
	h.Helper()
	err := patiently(func() error {
		l, err := netlink.LinkByName(link)
		if err == nil && l.Attrs().OperState != netlink.OperUp {
			err = fmt.Errorf("%s is %s", link, l.Attrs().OperState)
		}
		return err
	})
	if err != nil {
		h.Error(err) // not Fatal: this may be a node's goroutine
	}
}

func (h *host) setAddr(link, addr string) {
	h.Helper()
	h.up(link)
	l, err := netlink.LinkByName(link)
	if err == nil {
		var a *netlink.Addr
		if a, err = netlink.ParseAddr(addr); err == nil {
			err = netlink.AddrAdd(l, a)
		}
	}
	if err != nil {
		h.Error(err)
	}
}

// do runs f in the node's namespace.
func (n *node) do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// inside runs f in the container's network namespace, on a thread that ends
// with it.
func (h *host) inside(c *container, f func()) {
	h.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", c.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		h.Fatal(err)
	}
}

// command runs a command in the host's namespace.
func (h *host) command(args ...string) string {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		h.Errorf("%v: %v\n%s", args, err, b)
	}
	return string(b)
}

// wantClean compares what is on the host with a fresh one.
func (h *host) wantClean() {
	h.Helper()
	h.eventually(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			if name := l.Attrs().Name; strings.HasPrefix(name, "veth") || strings.HasPrefix(name, "minictr") {
				return fmt.Errorf("interface %s is left", name)
			}
		}
		return nil
	})
	if rules := h.command("nft", "list", "ruleset"); strings.Contains(rules, "minictr") {
		h.Errorf("rules are left:\n%s", rules)
	}
	for _, dir := range []string{"leases", "ports"} {
		entries, err := os.ReadDir(h.runDir + "/networks/bridge/" + dir)
		if err != nil || len(entries) > 0 {
			h.Errorf("%s left: %v %v", dir, entries, err)
		}
	}
}
