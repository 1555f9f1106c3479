package nft

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// everything uses all that the package can say.
func everything() *Batch {
	b := new(Batch)
	t := Table{unix.NFPROTO_IPV4, "test"}
	any4, one := PortMap{Table: t, Name: "any"}, PortMap{Table: t, Name: "one", ByAddr: true}
	nat := Chain{Table: t, Name: "nat", Type: "nat", Hook: Prerouting, Priority: PriorityDstNAT}
	post := Chain{Table: t, Name: "post", Type: "nat", Hook: Postrouting, Priority: PrioritySrcNAT}
	filter := Chain{Table: t, Name: "filter", Type: "filter", Hook: Forward, Priority: PriorityFilter}
	b.AddTable(t)
	b.AddMap(any4)
	b.AddMap(one)
	for _, c := range []Chain{nat, post, filter, {Table: t, Name: "plain"}} {
		b.AddChain(c)
		b.FlushChain(c)
	}
	ip := netip.MustParseAddr
	b.AddElements(any4, []PortMapping{
		{Protocol: unix.IPPROTO_TCP, HostPort: 8080, IP: ip("10.0.0.2"), ContainerPort: 80},
		{Protocol: unix.IPPROTO_UDP, HostPort: 65535, IP: ip("10.0.0.3"), ContainerPort: 1},
	})
	b.AddElements(one, []PortMapping{
		{HostIP: ip("127.0.0.1"), Protocol: unix.IPPROTO_SCTP, HostPort: 1, IP: ip("10.0.0.2"), ContainerPort: 65535},
	})
	b.AddRule(nat, DaddrLoopback(), Return())
	b.AddRule(nat, DNATByAddrPort("one"))
	b.AddRule(nat, DaddrLocal(), DNATByPort("any"))
	b.AddRule(post, Saddr(netip.MustParsePrefix("172.29.0.0/16")), NotOifName("br0"), Masquerade())
	b.AddRule(post, Saddr(netip.MustParsePrefix("10.1.2.192/26")), OifName("br0"), CtDNAT(), Masquerade())
	b.AddRule(post, SaddrLoopback(), OifName("interface-fifte"), Masquerade())
	b.AddRule(filter, OifName("br0"), CtEstablished(), Accept())
	b.AddRule(filter, OifName("br0"), Drop())
	b.InsertRule(filter, "mine", IifName("br0"), Counter(), Accept())
	return b
}

func needNft(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs the program nft, to compare with: ", err)
	}
}

// newHost moves the test's thread into a network namespace without rules.
func newHost(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func send(b *Batch) error {
	h := kernel.NewHost()
	calls := append([]kernel.Call{kernel.NetlinkSocket(kernel.NetlinkNetfilter).Into("s")}, b.Calls(kernel.FD("s"))...)
	for _, c := range append(calls, kernel.Close(kernel.FD("s"))) {
		if _, err := h.Do(c); err != nil {
			return err
		}
	}
	return nil
}

func ruleset(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestABatchIsWhatItsTextSays(t *testing.T) {
	needNft(t)
	var ours, theirs string
	t.Run("ours", func(t *testing.T) {
		newHost(t)
		if err := send(everything()); err != nil {
			t.Fatal(err)
		}
		ours = ruleset(t)
	})
	t.Run("theirs", func(t *testing.T) {
		newHost(t)
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(everything().String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		theirs = ruleset(t)
	})
	if ours != theirs || !strings.Contains(ours, "masquerade") {
		t.Errorf("the kernel has\n%s\nnft would have made\n%s", ours, theirs)
	}
}

func TestABatchHappensWholeOrNotAtAll(t *testing.T) {
	needNft(t)
	newHost(t)
	b := everything()
	b.DeleteTable(Table{unix.NFPROTO_IPV4, "nobody"})
	if err := send(b); err == nil {
		t.Error("deleted a table that is not there")
	}
	if got := ruleset(t); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
}

func TestProbeTellsWhetherAChainIsThere(t *testing.T) {
	needNft(t)
	newHost(t)
	c := Chain{Table: Table{unix.NFPROTO_IPV4, "test"}, Name: "filter"}
	there := func() bool {
		h := kernel.NewHost()
		for _, call := range append([]kernel.Call{kernel.NetlinkSocket(kernel.NetlinkNetfilter).Into("s")}, Probe(kernel.FD("s"), c, "there")...) {
			if _, err := h.Do(call); err != nil {
				t.Fatal(err)
			}
		}
		unix.Close(int(h.Slots["s"]))
		_, ok := h.Slots["there"]
		return ok
	}
	if there() {
		t.Error("found in an empty ruleset")
	}
	if err := send(everything()); err != nil {
		t.Fatal(err)
	}
	if !there() {
		t.Error("not found")
	}
	if c.Name = "nobody"; there() {
		t.Error("found a chain that is not there")
	}
}

func TestRepeatingABatchChangesNothing(t *testing.T) {
	needNft(t)
	newHost(t)
	for range 2 {
		if err := send(everything()); err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count([]byte(ruleset(t)), []byte("masquerade")); n != 3 {
		t.Errorf("%d masquerade rules, want 3", n)
	}
}
