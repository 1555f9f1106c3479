package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// oldest is the kernel that every feature we rely on is in.
var oldest = [2]int{5, 15}

func version(x *examination) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		x.add(Warn, "kernel", answer(err), "the kernel's version is not known", "")
		return
	}
	release := unix.ByteSliceToString(u.Release[:])
	found := "Linux " + release + " on " + runtime.GOARCH
	if new, known := atLeast(release, oldest); known && !new {
		x.add(Missing, "kernel", found, "system calls that containers are made with are not there (ENOSYS)",
			fmt.Sprintf("a kernel of version %d.%d or newer", oldest[0], oldest[1]))
		return
	}
	x.add(OK, "kernel", found, "", "")
}

// atLeast compares the first two numbers of a kernel release such as
// "6.1.0-18-amd64".
func atLeast(release string, least [2]int) (ok, known bool) {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return false, false
	}
	return major > least[0] || major == least[0] && minor >= least[1], true
}

// surroundings tells what kind of machine this is, as far as it explains other
// findings.
func surroundings(x *examination) {
	switch {
	case exists("/run/.containerenv"):
		x.add(Info, "kind", "a container, going by /run/.containerenv: that may be why things are missing", "", "")
	case exists("/.dockerenv"):
		x.add(Info, "kind", "a container, going by /.dockerenv: that may be why things are missing", "", "")
	case strings.Contains(strings.ToLower(readWord("/proc/sys/kernel/osrelease")), "microsoft"):
		x.add(Info, "kind", "Windows Subsystem for Linux", "", "")
	}
	if exists("/run/systemd/system") {
		x.add(Info, "init", "systemd manages this machine and its cgroups", "", "")
		return
	}
	x.add(Info, "init", "no systemd; minictr needs none", "", "")
}

// clock finds a clock that certificates and registries would not believe.
func clock(x *examination) {
	now := time.Now()
	found := now.UTC().Format("2006-01-02 15:04 UTC")
	if now.Year() < 2024 {
		x.add(Warn, "clock", found, "no registry's certificate is valid yet: nothing can be pulled", "set the clock, or run an NTP client")
		return
	}
	x.add(OK, "clock", found, "", "")
}

// engines lists others of our kind: they may be compared, and their firewall
// rules and networks are here too.
func engines(x *examination) {
	var found []string
	for _, name := range []string{"docker", "dockerd", "containerd", "podman", "nerdctl", "buildah", "runc", "crun"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if exists("/run/docker.sock") {
		found = append(found, "docker's daemon listens")
	}
	if len(found) == 0 {
		found = []string{"none"}
	}
	x.add(Info, "other engines", strings.Join(found, ", "), "", "")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
