package leak

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The directive makes the test binary run in the VM too, where cgroups are v2 only.
//
//minictr:vm

// inside is set in the child that may leak: it has mount and network namespaces of its own, so that nothing it leaves
// by mistake reaches the machine.
const inside = "LEAK_TEST_INSIDE"

// inNamespaces runs the calling test again in new namespaces, and reports whether this is that second run.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for namespaces, mounts and cgroups")
	}
	again := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("in new namespaces: %v\n%s", err, out)
	} else if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("in new namespaces: %s", out)
	}
	return false
}

// mess is one kind of leak: how the report's line ends, how to make it, how to remove it.
type mess struct {
	kind  Kind
	says  string
	make  func() error
	clean func() error
}

func (m mess) reported(differences []string) bool {
	return slices.ContainsFunc(differences, func(line string) bool {
		return strings.HasPrefix(line, "left: "+string(m.kind)+" ") && strings.HasSuffix(line, m.says)
	})
}

func TestEachKindOfLeakIsReported(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	dir := t.TempDir()
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(t, syscall.Mount("run", "/run", "tmpfs", 0, "")) // ours alone, so that /run/netns is too
	must(t, os.Mkdir("/run/netns", 0o755))

	// "leaktest" is in every name made here; other tests may run on this machine meanwhile.
	watch := Watch{Dirs: []string{dir}, Tokens: []string{"leaktest", dir}}
	for _, m := range messes(t, dir) {
		before := look(t, watch)
		must(t, m.make())
		if differences := Compare(before, look(t, watch)); !m.reported(differences) {
			t.Errorf("a leaked %s is reported as %q, want …%q", m.kind, differences, m.says)
		}
		must(t, m.clean())
		if rest := watch.settle(before); rest != "" {
			t.Errorf("after cleaning up a %s: %s", m.kind, rest)
		}
	}
}

func messes(t *testing.T, dir string) []mess {
	mountPoint := filepath.Join(dir, "leaktest mount")
	must(t, os.Mkdir(mountPoint, 0o755))
	cgroup := filepath.Join(aCgroupMount(t), fmt.Sprintf("leaktest-%d", os.Getpid()))
	all := []mess{
		{
			Mounts, mountPoint + " (tmpfs leaktest)",
			func() error { return syscall.Mount("leaktest", mountPoint, "tmpfs", 0, "") },
			func() error { return syscall.Unmount(mountPoint, 0) },
		},
		{Cgroups, cgroup, func() error { return os.Mkdir(cgroup, 0o755) }, func() error { return os.Remove(cgroup) }},
		{
			Namespaces, "leaktest",
			func() error { return os.WriteFile("/run/netns/leaktest", nil, 0o644) },
			func() error { return os.Remove("/run/netns/leaktest") },
		},
		{
			Files, dir + "/sub/file",
			func() error {
				return errors.Join(os.Mkdir(dir+"/sub", 0o755), os.WriteFile(dir+"/sub/file", nil, 0o644))
			},
			func() error { return os.RemoveAll(dir + "/sub") },
		},
		socketMess(),
		openFileMess(),
	}
	all = append(all, processMesses()...)
	return append(all, networkMesses()...)
}

func socketMess() mess {
	var listener net.Listener
	return mess{
		Sockets, "unix @leaktest",
		func() (err error) { listener, err = net.Listen("unix", "@leaktest"); return err },
		func() error { return listener.Close() },
	}
}

func openFileMess() mess {
	var file *os.File
	return mess{
		OpenFiles, " -> /dev/null",
		func() (err error) { file, err = os.Open("/dev/null"); return err },
		func() error { return file.Close() },
	}
}

// processMesses are a process of ours, and one that has ended without anyone having waited for it.
func processMesses() []mess {
	var sleeper, zombie *exec.Cmd
	return []mess{
		{
			Processes, " sleep 4711",
			func() error { sleeper = exec.Command("sleep", "4711"); return sleeper.Start() },
			func() error { return errors.Join(sleeper.Process.Kill(), ignoreExit(sleeper.Wait())) },
		},
		{
			Processes, fmt.Sprintf(" zombie of %d", os.Getpid()),
			func() error {
				zombie = exec.Command("true")
				err := zombie.Start()
				time.Sleep(200 * time.Millisecond) // it ends; the zombie stays
				return err
			},
			func() error { return zombie.Wait() },
		},
	}
}

// networkMesses use the usual tools, in a network namespace of our own.
func networkMesses() []mess {
	link, nft := commands("ip"), commands("nft")
	return []mess{
		{Links, "leaktest0", link("link add leaktest0 type bridge"), link("link del leaktest0")},
		{
			Addresses, "192.0.2.1/24 on leaktest0",
			func() error {
				return errors.Join(link("link add leaktest0 type bridge")(), link("addr add 192.0.2.1/24 dev leaktest0")())
			},
			link("link del leaktest0"),
		},
		{Rules, "table inet leaktest", nft("add table inet leaktest"), nft("delete table inet leaktest")},
		{
			Rules, "chain ip leaktest c",
			func() error { return errors.Join(nft("add table ip leaktest")(), nft("add chain ip leaktest c")()) },
			nft("delete table ip leaktest"),
		},
		{
			Rules, "rule ip leaktest c handle 2: meta cmp counter immediate",
			func() error {
				return errors.Join(nft("add table ip leaktest")(), nft("add chain ip leaktest c")(),
					nft("add rule ip leaktest c iifname lo counter accept")())
			},
			nft("delete table ip leaktest"),
		},
		{
			Rules, "element ip leaktest s 0050",
			func() error {
				return errors.Join(nft("add table ip leaktest")(),
					nft("add set ip leaktest s { type inet_service; }")(), nft("add element ip leaktest s { 80 }")())
			},
			nft("delete table ip leaktest"),
		},
	}
}

// TestCheckReportsThroughTheTest shows the whole of Check: silent when all is well, an error when not.
func TestCheckReportsThroughTheTest(t *testing.T) {
	dir := t.TempDir()
	watch := Watch{Dirs: []string{dir}, Tokens: []string{dir}, Patience: time.Second}
	clean := &recorder{TB: t}
	watch.Check(clean)
	must(t, os.WriteFile(dir+"/late", nil, 0o644))
	go func() { // ends at once; the trace vanishes while Check is waiting
		time.Sleep(300 * time.Millisecond)
		_ = os.Remove(dir + "/late")
	}()
	clean.end()
	if clean.errors != "" {
		t.Errorf("something that vanished in time is reported: %s", clean.errors)
	}

	dirty := &recorder{TB: t}
	watch.Check(dirty)
	must(t, os.WriteFile(dir+"/stays", nil, 0o644))
	dirty.end()
	if !strings.Contains(dirty.errors, "left: file "+dir+"/stays") {
		t.Errorf("a file that stays is reported as %q", dirty.errors)
	}
}

// TestOtherPeoplesThingsDoNotCount: scoped, only what carries a token is in the picture.
func TestOtherPeoplesThingsDoNotCount(t *testing.T) {
	watch := Watch{Tokens: []string{"no-such-token"}}
	state := look(t, watch)
	for _, kind := range []Kind{Mounts, Cgroups, Links, Addresses, Rules, Namespaces, Processes} {
		if len(state[kind]) != 0 {
			t.Errorf("%s: %q", kind, state[kind])
		}
	}
	if all := look(t, Watch{}); len(all[Mounts]) == 0 || len(all[Processes]) == 0 || len(all[Links]) == 0 {
		t.Errorf("the whole machine has no mounts, processes or links: %v", all)
	}
}

// recorder is a testing.TB that keeps errors and cleanups.
type recorder struct {
	testing.TB
	errors   string
	cleanups []func()
}

func (r *recorder) Error(args ...any)      { r.errors += fmt.Sprintln(args...) }
func (r *recorder) Cleanup(cleanup func()) { r.cleanups = append(r.cleanups, cleanup) }
func (r *recorder) end() {
	for _, cleanup := range r.cleanups {
		cleanup()
	}
}

func look(t *testing.T, watch Watch) State {
	t.Helper()
	state, err := watch.Snapshot()
	must(t, err)
	return state
}

func aCgroupMount(t *testing.T) string {
	t.Helper()
	mounts, err := readMounts()
	must(t, err)
	for _, m := range mounts {
		if m.kind == "cgroup" || m.kind == "cgroup2" {
			return m.point
		}
	}
	t.Skip("needs a mounted cgroup hierarchy")
	return ""
}

// commands returns a maker of steps that run a program with a line of arguments.
func commands(program string) func(line string) func() error {
	return func(line string) func() error {
		return func() error {
			if out, err := exec.Command(program, strings.Fields(line)...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s %s: %w\n%s", program, line, err, out)
			}
			return nil
		}
	}
}

func ignoreExit(err error) error {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
