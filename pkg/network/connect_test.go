package network

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"minictr/pkg/step"
)

func TestAddressesAreLeasedInTurn(t *testing.T) {
	h := newHost(t)
	for i := range 4 {
		ep := h.connect(fmt.Sprint("c", i))
		net := ep.Subnet.Addr().As4()
		if want := netip.AddrFrom4([4]byte{net[0], net[1], 0, byte(2 + i)}); ep.IP != want {
			t.Errorf("lease %d is %s, want %s", i, ep.IP, want)
		}
		if want := fmt.Sprintf("02:42:%02x:%02x:00:%02x", net[0], net[1], 2+i); ep.MAC.String() != want {
			t.Errorf("%s has MAC %s, want %s", ep.IP, ep.MAC, want)
		}
		if i%2 == 0 {
			if err := Disconnect(h.runDir, ep); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLeasesWrapAroundAndEnd(t *testing.T) {
	n := Network{State: t.TempDir()}
	n.setSubnet(netip.MustParsePrefix("10.0.0.0/29"))
	if err := os.Mkdir(filepath.Join(n.State, "leases"), 0o755); err != nil {
		t.Fatal(err)
	}
	var last netip.Addr
	for i := range 5 { // of eight: the network, the gateway and the broadcast address are not for containers
		ip, err := n.lease("c")
		if err != nil || ip != netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)}) {
			t.Fatal(ip, err)
		}
		last = ip
	}
	if ip, err := n.lease("c"); err == nil || !strings.Contains(err.Error(), "no free address") {
		t.Errorf("a sixth lease: %v %v", ip, err)
	}
	if err := os.Remove(n.leasePath(last.Prev())); err != nil {
		t.Fatal(err)
	}
	if ip, err := n.lease("c"); ip != last.Prev() {
		t.Errorf("leased %v (%v), want the free %v", ip, err, last.Prev())
	}
}

func TestDisconnectingTwiceTakesNothingFromOthers(t *testing.T) {
	h := newHost(t)
	old := h.connect("old", "8080:80")
	for range 2 {
		if err := Disconnect(h.runDir, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(old.leasePath(old.IP), []byte("new\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.connect("new", "8080:80")
	if err := Disconnect(h.runDir, old); err != nil {
		t.Fatal(err)
	}
	owners, err := old.leases()
	ports, perr := old.ports()
	if owners[old.IP.String()] != "new" || ports["tcp-0.0.0.0-8080"] != "new" {
		t.Errorf("left: %v %v (%v %v)", owners, ports, err, perr)
	}
}

func TestTheSubnetIsOneThatTheHostHasNoWayTo(t *testing.T) {
	h := newHost(t)
	h.newNode("vpn", "10.255.255.1/8", "10.0.0.1/8")
	h.newNode("other", "172.28.1.1/14", "172.28.1.2/14") // 172.28 to 172.31
	n := bridgeNetwork(h.runDir)
	n.State = filepath.Join(DefaultRunDir, "networks", "bridge") // the candidates of the default instance
	taken, err := routes(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range n.candidates() {
		if !overlaps(p, taken) {
			if p.String() != "172.27.0.0/16" {
				t.Errorf("chose %s", p)
			}
			break
		}
	}
	if ep := h.connect("one"); !netip.MustParsePrefix("172.16.0.0/12").Overlaps(ep.Subnet) || overlaps(ep.Subnet, taken) {
		t.Errorf("has %s beside %v", ep.Subnet, taken)
	}
}

func TestTheSubnetStaysWhileItIsUsed(t *testing.T) {
	h := newHost(t)
	first := h.connect("first")
	h.newNode("late", netip.PrefixFrom(first.Subnet.Addr().Next(), 16).String(), netip.PrefixFrom(first.IP.Next(), 16).String())
	if second := h.connect("second"); second.Subnet != first.Subnet {
		t.Errorf("from %s to %s", first.Subnet, second.Subnet)
		_ = Disconnect(h.runDir, second)
	} else if err := Disconnect(h.runDir, second); err != nil {
		t.Error(err)
	}
	if err := Disconnect(h.runDir, first); err != nil {
		t.Fatal(err)
	}
	if third := h.connect("third"); third.Subnet == first.Subnet {
		t.Errorf("%s is kept though it collides by now", third.Subnet)
	}
}

func TestAnEndpointSurvivesJSON(t *testing.T) {
	h := newHost(t)
	h.nft(firewalls["docker"])
	ep := h.connect("one", "8080:80", "127.0.0.1:53:53/udp")
	b, err := json.Marshal(ep)
	if err != nil {
		t.Fatal(err)
	}
	var again Endpoint
	if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(*ep, again) {
		t.Errorf("%v\n%+v\n%+v\n%s", err, *ep, again, b)
	}
}

// Plans that are built from the same endpoint say the same: the undo after a
// crash is the undo that was meant.
func TestStepsDependOnTheEndpointAlone(t *testing.T) {
	h := newHost(t)
	h.nft(firewalls["two of them"])
	ep := h.connect("one", "8080:80", "53:53/udp")
	text := func() (all string) {
		for _, s := range append(append(Prepare(ep), Attach(ep)...), Configure(ep), Loopback()) {
			for _, c := range s.Calls {
				all += s.Name + " " + c.String() + "\n"
			}
			if s.Undo == nil && s.Rule == "" {
				t.Errorf("%s has neither an undo nor a rule", s.Name)
			}
		}
		return all
	}
	if a, b := text(), text(); a != b || a == "" {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestAPlanThatBreaksAnywhereLeavesNothing(t *testing.T) {
	h := newHost(t)
	h.nft(firewalls["docker"])
	before := h.command("nft", "list", "ruleset")
	sample := h.connect("sample", "8080:80", "53:80/udp")
	steps := names(h.plan(sample))
	if err := Disconnect(h.runDir, sample); err != nil {
		t.Fatal(err)
	}
	for _, name := range steps {
		plan := h.plan(h.connect("one", "8080:80", "53:80/udp"))
		if _, err := (&step.Runner{Fault: step.Fault{Step: name}}).Run(plan); err == nil {
			t.Errorf("%s did not fail", name)
		}
		// As a second process would, that finds the journal after a crash.
		if err := step.Undo(plan, names(plan), nil); err != nil {
			t.Errorf("%s: undo again: %v", name, err)
		}
		h.wantClean()
		if after := h.command("nft", "list", "ruleset"); counters(after) != counters(before) {
			t.Errorf("%s: before:\n%s\nafter:\n%s", name, before, after)
		}
	}
}

// churn is what many processes do at once: connect, run, check that the network
// is whole, undo. It is the program of this binary with NETTEST_CHURN.
func churn(runDir string) error {
	for i := range 12 {
		ep, err := Connect(runDir, fmt.Sprintf("p%d-%d", os.Getpid(), i), Options{Ports: []PortMapping{
			{HostIP: netip.IPv4Unspecified(), ContainerPort: 80, Protocol: TCP},
		}})
		if err != nil {
			return err
		}
		plan := step.Plan(Prepare(ep))
		plan = append(plan, cloneStep())
		plan = append(append(plan, Attach(ep)...), Configure(ep), step.Step{Name: "test.exec", Side: step.Inside, Calls: connectTo(ep)})
		p, err := new(step.Runner).Run(plan)
		if err != nil {
			return err
		}
		start := time.Now()
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.PID, &status, 0, nil); err != nil {
			return err
		}
		if took := time.Since(start); took > 900*time.Millisecond {
			return fmt.Errorf("reaching the gateway took %v", took)
		}
		CloseReserved(p.Slots)
		if i%3 > 0 {
			if err := step.Undo(plan, names(plan), nil); err != nil {
				return err
			}
			continue
		}
		if err := Disconnect(runDir, ep); err != nil {
			return err
		}
		if err := step.Undo(plan, []string{"network.publish"}, nil); err != nil {
			return err
		}
		if _, err := RemoveIfUnused(runDir, time.Millisecond, nil); err != nil {
			return err
		}
	}
	return nil
}

func TestManyProcessesComeAndGoAtOnce(t *testing.T) {
	h := newHost(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	var cmds []*exec.Cmd
	var outputs []*strings.Builder
	for range 4 {
		cmd, out := exec.CommandContext(ctx, exe), new(strings.Builder)
		cmd.Env = append(os.Environ(), "NETTEST_CHURN="+h.runDir)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil { // from this thread: into this namespace
			t.Fatal(err)
		}
		cmds, outputs = append(cmds, cmd), append(outputs, out)
	}
	var wg sync.WaitGroup
	for i, cmd := range cmds {
		wg.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, outputs[i])
			}
		})
	}
	wg.Wait()
	if _, err := RemoveIfUnused(h.runDir, 0, nil); err != nil {
		t.Fatal(err)
	}
	h.wantClean()
}

func TestTheNetworkStaysUntilItIsIdle(t *testing.T) {
	h := newHost(t)
	c := h.start(h.connect("one"))
	c.kill()
	remove := func(idle time.Duration) (again time.Duration) {
		t.Helper()
		again, err := RemoveIfUnused(h.runDir, idle, nil)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	there := func() bool { _, err := netlink.LinkByName(c.Bridge); return err == nil }
	if again := remove(time.Hour); !there() || again != 0 {
		t.Errorf("while leased: there %v, again in %v", there(), again)
	}
	if remove(0); !there() {
		t.Error("removed while leased")
	}
	if err := Disconnect(h.runDir, c.Endpoint); err != nil {
		t.Fatal(err)
	}
	if again := remove(time.Hour); !there() || again < 59*time.Minute {
		t.Errorf("before its time: there %v, again in %v", there(), again)
	}
	if err := Disconnect(h.runDir, c.Endpoint); err != nil {
		t.Fatal(err)
	}
	if again := remove(20 * time.Millisecond); again > 0 { // Disconnect had nothing to give back
		time.Sleep(again)
		remove(20 * time.Millisecond)
	}
	if there() {
		t.Error("not removed in its time")
	}
	if remove(0); there() {
		t.Error("not removed")
	}
	remove(0)
	h.wantClean()
}

func TestAPreviewClaimsNothingAndIsRight(t *testing.T) {
	h := newHost(t)
	h.nft(firewalls["ufw"])
	ports := must(ParsePort("8080:80"))
	for range 2 { // on a fresh host, and beside a container
		preview, err := Preview(h.runDir, "one", Options{Ports: ports})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(h.runDir, "networks/bridge/leases", preview.IP.String())); err == nil {
			t.Errorf("%s is leased", preview.IP)
		}
		ep := h.connect("one", "8080:80")
		if !reflect.DeepEqual(preview, ep) {
			t.Errorf("previewed %+v\nthen had %+v", preview, ep)
		}
		if err := Disconnect(h.runDir, ep); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSweepingTakesFromTheDeadOnly(t *testing.T) {
	h := newHost(t)
	dead, alive := h.connect("dead", "8080:80"), h.connect("alive", "8081:80")
	if err := Sweep(h.runDir, func(id string) bool { return id == "alive" }); err != nil {
		t.Fatal(err)
	}
	leases, ports := must(dead.leases()), must(dead.ports())
	if len(leases) != 1 || leases[alive.IP.String()] != "alive" || len(ports) != 1 || ports["tcp-0.0.0.0-8081"] != "alive" {
		t.Errorf("left: %v %v", leases, ports)
	}
}

func TestTheReportSaysWhoDrops(t *testing.T) {
	h := newHost(t)
	if r, err := Forwarding(h.runDir); err != nil || r.Dropping != nil || r.LegacyDrops {
		t.Errorf("on a fresh host: %+v %v", r, err)
	}
	h.nft(firewalls["firewalld"])
	c := h.start(h.connect("one"))
	r, err := Forwarding(h.runDir)
	if err != nil || !r.IPForward || len(r.Dropping) != 1 || r.Dropping[0] != "inet firewalld filter_FORWARD" {
		t.Errorf("with firewalld: %+v %v", r, err)
	}
	c.stop(h)
}
