package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"

	"minictr/pkg/kernel"
	"minictr/pkg/leak"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The tests of this file attach filters to cgroups of their own, on this
// machine's kernel and in the VM.
//
//minictr:vm

// TestMain: the test binary is also the program in the cgroup; it tries what
// it is told, and prints the error of each.
func TestMain(m *testing.M) {
	if tries := os.Getenv("DEVICE_TEST_TRY"); tries != "" {
		for _, try := range strings.Split(tries, ",") {
			fmt.Printf("%s: %s\n", try, errnoName(attempt(try)))
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// attempt opens a file ("rw /dev/null") or makes a node ("m c:1:3 /tmp/x").
func attempt(try string) error {
	f := strings.Fields(try)
	if f[0] == "m" {
		var typ string
		var major, minor uint32
		if _, err := fmt.Sscanf(strings.ReplaceAll(f[1], ":", " "), "%s %d %d", &typ, &major, &minor); err != nil {
			return err
		}
		mode := map[string]uint32{"c": unix.S_IFCHR, "b": unix.S_IFBLK}[typ]
		return unix.Mknod(f[2], mode|0o600, int(unix.Mkdev(major, minor)))
	}
	fd, err := unix.Open(f[1], map[string]int{"r": unix.O_RDONLY, "w": unix.O_WRONLY, "rw": unix.O_RDWR}[f[0]]|unix.O_NONBLOCK, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

func errnoName(err error) string {
	var e syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		return unix.ErrnoName(e)
	}
	return err.Error()
}

// cgroup2 makes a cgroup that is removed after the test.
func cgroup2(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a cgroup and attach a filter")
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var at unix.Statfs_t
		if unix.Statfs(root, &at) == nil && at.Type == unix.CGROUP2_SUPER_MAGIC {
			dir := filepath.Join(root, fmt.Sprintf("minictr-devtest-%d", os.Getpid()))
			leak.Watch{Tokens: []string{filepath.Base(dir)}}.Check(t)
			return scratchDir(t, dir)
		}
	}
	t.Skip("cgroup2 is not mounted")
	return ""
}

func scratchDir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Rmdir(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// tried runs the test binary in a cgroup; prepare are calls of the host before.
func tried(t *testing.T, dir string, prepare func(h *kernel.Host), inside []kernel.Call, tries ...string) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := kernel.NewHost()
	h.Slots["out"] = out.Fd()
	args := kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND}
	if dir != "" {
		r, err := h.Do(kernel.Openat(kernel.AtFDCWD, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into("cgroup"))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(int(r.Ret))
		args.Cgroup = "cgroup"
	}
	prepare(h)
	env := []string{"DEVICE_TEST_TRY=" + strings.Join(tries, ",")}
	c, err := h.Spawn(kernel.Clone(args), append(inside,
		kernel.Dup3(kernel.FD("out"), 1, false), kernel.Execve(self, []string{self}, env)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for c.Hear() { // until execve
	}
	if err := c.Executed(); err != nil {
		t.Error(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		try, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got[try] = what
	}
	return got
}

func do(t *testing.T, h *kernel.Host, calls []kernel.Call) {
	t.Helper()
	for _, c := range calls {
		if _, err := h.Do(c); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for try, w := range want {
		if got[try] != w {
			t.Errorf("%s: got %s, want %s", try, got[try], w)
		}
	}
}

// expected are attempts under the default rules. Of two that are denied, one
// is at a node that the container made itself.
func expected(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev", "minictr-devtest-") // no other place is sure to be mounted without nodev
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return map[string]string{
		"rw /dev/null":                "ok",
		"r /dev/urandom":              "ok",
		"w /dev/full":                 "ok",
		"r /dev/kmsg":                 "EPERM",
		"m c:1:11 " + dir + "/1-kmsg": "ok",
		"r " + dir + "/1-kmsg":        "EPERM",
		"m b:254:0 " + dir + "/2":     "ok",
		"r " + dir + "/2":             "EPERM",
		"rw " + dir + "/2":            "EPERM",
		"m c:1:7 " + dir + "/3-full":  "ok",
		"rw " + dir + "/3-full":       "ok",
		"r " + dir + "/nowhere":       "ENOENT",
	}
}

// inOrder puts the makings of nodes before their uses.
func inOrder(want map[string]string) []string {
	var makes, opens []string
	for try := range want {
		if strings.HasPrefix(try, "m ") {
			makes = append(makes, try)
		} else {
			opens = append(opens, try)
		}
	}
	return append(makes, opens...)
}

func TestTheFilterKeepsFromTheHostsDevices(t *testing.T) {
	dir, want := cgroup2(t), expected(t)
	s, err := Filter([]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, "cgroup")
	if err != nil {
		t.Fatal(err)
	}
	got := tried(t, dir, func(h *kernel.Host) { do(t, h, s.Calls) }, nil, inOrder(want)...)
	compare(t, got, want)
}

func TestWithoutAFilterTheDevicesAreOpen(t *testing.T) {
	dir := cgroup2(t)
	got := tried(t, dir, func(*kernel.Host) {}, nil, "r /dev/kmsg")
	compare(t, got, map[string]string{"r /dev/kmsg": "ok"})
}

func TestADeviceCanBeGivenForReadingOnly(t *testing.T) {
	dir := cgroup2(t)
	major, minor := int64(1), int64(11)
	s, err := Filter([]specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		{Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "r"},
	}, "cgroup")
	if err != nil {
		t.Fatal(err)
	}
	got := tried(t, dir, func(h *kernel.Host) { do(t, h, s.Calls) }, nil, "r /dev/kmsg", "w /dev/kmsg", "rw /dev/kmsg")
	compare(t, got, map[string]string{"r /dev/kmsg": "ok", "w /dev/kmsg": "EPERM", "rw /dev/kmsg": "EPERM"})
}

func TestThePartsOfARuleCombine(t *testing.T) {
	dir := cgroup2(t)
	major, minor := int64(1), int64(11)
	kmsg := func(allow bool, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: "c", Major: &major, Minor: &minor, Access: access}
	}
	s, err := Filter([]specs.LinuxDeviceCgroup{kmsg(true, "r"), kmsg(true, "w"), kmsg(false, "m")}, "cgroup")
	if err != nil {
		t.Fatal(err)
	}
	got := tried(t, dir, func(h *kernel.Host) { do(t, h, s.Calls) }, nil, "rw /dev/kmsg")
	compare(t, got, map[string]string{"rw /dev/kmsg": "ok"})
}

// On v1 the same rules go to files. The machine must have that controller.
func TestTheExceptionsOfV1KeepFromTheHostsDevices(t *testing.T) {
	root := "/sys/fs/cgroup/devices"
	if _, err := os.Stat(root + "/devices.allow"); err != nil {
		t.Skip("no v1 hierarchy with the devices controller at " + root)
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to make a cgroup")
	}
	dir := filepath.Join(root, fmt.Sprintf("minictr-devtest-%d", os.Getpid()))
	leak.Watch{Tokens: []string{filepath.Base(dir)}}.Check(t)
	scratchDir(t, dir)
	s, err := Exceptions([]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := expected(t)
	got := tried(t, "", func(h *kernel.Host) { do(t, h, s.Calls) }, kernel.WriteFile(dir+"/tasks", "0"), inOrder(want)...)
	compare(t, got, want)
}

func TestNodesOfTheHostAreFound(t *testing.T) {
	found, err := Lookup("/dev/null", "/dev/nothing")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if d := found[0]; d.Path != "/dev/nothing" || d.Type != "c" || d.Major != 1 || d.Minor != 3 || *d.FileMode != 0o666 {
		t.Errorf("null is %+v", d)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	if found, err = Lookup(link, link); err != nil || len(found) != 1 || found[0].Minor != 5 {
		t.Errorf("through a link: %+v, %v", found, err)
	}
	for _, bad := range []string{"/dev/no-such-device", "/etc/passwd", t.TempDir()} {
		if found, err := Lookup(bad, bad); err == nil {
			t.Errorf("%s is taken for %+v", bad, found)
		}
	}
	if all, err := OnHost(); err != nil || len(all) < 6 {
		t.Errorf("%d devices on this host, %v", len(all), err)
	}
}

// TestASignalDoesNotKeepTheFilterOut: the kernel's check of a program stops for
// a signal with EAGAIN, and this process has signals of its own: Go's, between
// goroutines.
func TestASignalDoesNotKeepTheFilterOut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to load a program")
	}
	filter, err := Filter(nil, "cgroup")
	if err != nil {
		t.Fatal(err)
	}
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	thread, ended := unix.Gettid(), make(chan struct{})
	stop := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG)
			}
		}
	}()
	host := kernel.NewHost()
	for range 20 {
		if _, err = host.Do(filter.Calls[0]); err != nil {
			t.Error(err)
			break
		}
		host.CloseAll()
	}
	close(stop)
	<-ended
}
