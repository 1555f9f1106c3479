package explain

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
}

//minictr:vm

// halfMade spawns a child with namespaces of its own that makes calls and then
// stands still. It is gone when the test ends.
func halfMade(t *testing.T, flags kernel.CloneFlags, calls ...kernel.Call) *kernel.Child {
	t.Helper()
	needRoot(t)
	c, err := kernel.NewHost().Spawn(kernel.Clone(kernel.CloneArgs{Flags: flags}), append(calls, kernel.Tell(), kernel.Await()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = syscall.Kill(c.PID, syscall.SIGKILL)
		_, _ = syscall.Wait4(c.PID, nil, 0, nil)
	})
	return c
}

func TestStateShowsWhatAHalfMadeContainerHas(t *testing.T) {
	child := halfMade(t, unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWNET|unix.CLONE_NEWPID,
		kernel.Tell(), kernel.Await(),
		kernel.Sethostname("half-made"),
		kernel.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		kernel.Mount("explain", "/tmp", "tmpfs", unix.MS_NOSUID, "size=64k"),
		kernel.SetNoNewPrivs(), kernel.Chdir("/tmp"))
	if !child.Hear() {
		t.Fatal(child.Executed())
	}
	before, err := State(child.PID)
	if err != nil {
		t.Fatal(err)
	}
	for kind, own := range map[string]bool{"mnt": true, "uts": true, "net": true, "pid": true, "ipc": false, "user": false} {
		if before.own(kind) != own {
			t.Errorf("%s namespace: own = %v, want %v", kind, !own, own)
		}
	}
	if n := before.Network; n.Shared || n.Error != "" || len(n.Links) != 1 || n.Links[0].Name != "lo" {
		t.Errorf("network of a fresh namespace: %+v", n)
	}
	child.Release()
	if !child.Hear() {
		t.Fatal(child.Executed())
	}
	after, err := State(child.PID)
	if err != nil {
		t.Fatal(err)
	}
	if after.Hostname != "half-made" {
		t.Errorf("host name %q", after.Hostname)
	}
	host, _ := os.Hostname()
	got := make(map[string]Change)
	for _, c := range Diff(before, after) {
		if c.Section == "mounts, as seen from its root" {
			if c.Old == "" {
				got["mount"] = c
			}
			continue
		}
		got[c.Name] = c
	}
	for name, want := range map[string]Change{
		"hostname":   {"process", "hostname", host, "half-made"},
		"cwd":        {"process", "cwd", got["cwd"].Old, "/tmp"},
		"NoNewPrivs": {"process", "NoNewPrivs", "0", "1"},
	} {
		if got[name] != want {
			t.Errorf("%s: got %+v, want %+v", name, got[name], want)
		}
		delete(got, name)
	}
	if !strings.HasPrefix(got["mount"].New, "/tmp tmpfs rw,nosuid,relatime private from explain") {
		t.Errorf("mount: %+v", got["mount"])
	}
	delete(got, "mount")
	if len(got) > 0 {
		t.Errorf("also changed: %v", got)
	}
}

func TestStateOfAProcessThatIsGone(t *testing.T) {
	if _, err := State(1 << 22); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestLookingLeavesTheLookerWhereItWas: the threads that visit namespaces do
// not come back to the scheduler.
func TestLookingLeavesTheLookerWhereItWas(t *testing.T) {
	child := halfMade(t, unix.CLONE_NEWUTS|unix.CLONE_NEWNET, kernel.Sethostname("elsewhere"))
	if !child.Hear() {
		t.Fatal(child.Executed())
	}
	before := openFiles(t)
	for range 5 {
		if s, err := State(child.PID); err != nil || s.Hostname != "elsewhere" {
			t.Fatal(s.Hostname, err)
		}
	}
	done := make(chan bool)
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() {
			h, _ := os.Hostname()
			net, _ := os.Readlink("/proc/thread-self/ns/net")
			mine, _ := os.Readlink("/proc/self/ns/net")
			done <- h != "elsewhere" && net == mine
		}()
	}
	for range 4 * runtime.GOMAXPROCS(0) {
		if !<-done {
			t.Error("a thread of ours stayed in the other namespace")
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors more than before", after-before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// aSnapshot is made up, for the layout of text.
func aSnapshot() Snapshot {
	return Snapshot{
		PID:        4242,
		Namespaces: []Namespace{{"mnt", "4026532177", true}, {"user", "4026531837", false}},
		Process:    []Fact{{"exe", "/usr/bin/minictr-shim"}, {"Seccomp", "0 (no filter)"}},
		Hostname:   "web",
		Cgroups: []Cgroup{
			{Controllers: "memory", Path: "/minictr/ab", Dir: "/sys/fs/cgroup/memory/minictr/ab", Values: []Fact{{"memory.limit_in_bytes", "268435456"}}},
			{Controllers: "unified", Path: "/", Dir: "/sys/fs/cgroup/unified"},
		},
		Mounts: []Mount{
			{ID: 40, Parent: 1, Root: "/", Point: "/", Options: "rw,relatime", Propagation: "private", Type: "overlay", Source: "overlay", Super: "rw,lowerdir=" + strings.Repeat("/l/0123456789", 12) + ",upperdir=/u,workdir=/w"},
			{ID: 41, Parent: 40, Root: "/data", Point: "/mnt", Options: "ro", Propagation: "master:2", Type: "ext4", Source: "/dev/sda1"},
		},
		Network: Network{
			Links:     []Fact{{"lo", "device, down, mtu 65536"}},
			Addresses: []string{"172.18.0.2/16 on eth0"}, Routes: []string{"default via 172.18.0.1 on eth0"},
		},
		Limits: []Fact{{"Max open files", "soft 1024, hard 4096"}},
		Files:  []Fact{{"0", "/dev/null"}},
	}
}

func TestSnapshotsArePrinted(t *testing.T) {
	var b bytes.Buffer
	if err := aSnapshot().Write(&b, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "state-80.txt", b.Bytes())
}

func TestDiffsArePrinted(t *testing.T) {
	before, after := aSnapshot(), aSnapshot()
	after.Hostname = "web2"
	after.Mounts = slices.Clone(after.Mounts)
	after.Mounts[0].Point = "/old" // moved: the same mount at another place
	after.Mounts[1].ID = 42        // replaced
	after.Files = nil
	after.Network = Network{Shared: true}
	var b bytes.Buffer
	if err := WriteDiff(&b, Diff(before, after), Style{Width: 100}); err != nil {
		t.Fatal(err)
	}
	b.WriteString("----\n")
	if err := WriteDiff(&b, Diff(after, after), Style{Width: 100}); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff-100.txt", b.Bytes())
}

func TestMountinfoIsRead(t *testing.T) {
	for _, tc := range []struct {
		line string
		want Mount
	}{
		{
			`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue`,
			Mount{36, 35, "98:0", "/mnt1", "/mnt 2", "rw,noatime", "master:1 propagate_from:2", "ext3", "/dev/root", "rw,errors=continue"},
		},
		{`1 0 0:1 / / rw - rootfs none rw`, Mount{1, 0, "0:1", "/", "/", "rw", "private", "rootfs", "none", "rw"}},
		{`2 1 0:5 / /a rw - tmpfs  rw`, Mount{2, 1, "0:5", "/", "/a", "rw", "private", "tmpfs", "", "rw"}},
	} {
		got, err := parseMount(tc.line)
		if err != nil || got != tc.want {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", tc.line, got, err, tc.want)
		}
	}
	for _, bad := range []string{"", "1 2 3", "x 0 0:1 / / rw - rootfs none rw", "1 x 0:1 / / rw - rootfs none rw", "1 0 0:1 / / rw rootfs none rw -"} {
		if m, err := parseMount(bad); err == nil {
			t.Errorf("%q read as %+v", bad, m)
		}
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add(`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw`)
	f.Add(`36 35 98:0 /mnt1 /mnt\9 - - - - - -`)
	f.Fuzz(func(t *testing.T, line string) {
		if m, err := parseMount(line); err == nil && len(m.Point) > len(line) {
			t.Errorf("%q read as %+v", line, m)
		}
	})
}

func TestCgroupLinesAreRead(t *testing.T) {
	got := parseCgroups("3:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/init.scope\nnonsense\n")
	want := []Cgroup{{Controllers: "cpu,cpuacct", Path: "/a:b"}, {Controllers: "systemd", Path: "/"}, {Controllers: "unified", Path: "/init.scope"}}
	if !slices.EqualFunc(got, want, func(a, b Cgroup) bool { return a.Controllers == b.Controllers && a.Path == b.Path }) {
		t.Errorf("got %+v", got)
	}
}

func TestLimitsAreRead(t *testing.T) {
	got := parseLimits("Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max cpu time              unlimited            unlimited            seconds   \n" +
		"Max open files            1024                 1048576              files     \n" +
		"Max nice priority         0                    0                    \n")
	want := []Fact{{"Max cpu time", "soft unlimited, hard unlimited"}, {"Max open files", "soft 1024, hard 1048576"}, {"Max nice priority", "soft 0, hard 0"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}
