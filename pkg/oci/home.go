package oci

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fillHome sets HOME where the configuration does not: to the home of the
// program's user in the root's own /etc/passwd, or to "/". Shells and git would
// stop without it, and engines leave it to the runtime (runc and crun do it).
func fillHome(p *specs.Process, root string) {
	if p == nil || slices.ContainsFunc(p.Env, func(e string) bool { return strings.HasPrefix(e, "HOME=") && e != "HOME=" }) {
		return
	}
	p.Env = append(slices.Clone(p.Env), "HOME="+homeIn(root, p.User.UID))
}

// homeIn looks a user up in a root that is somebody else's: links lead to other
// places of that root only, and what is no plain file of a plausible size is
// not read.
func homeIn(root string, uid uint32) string {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "/"
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, "etc/passwd", &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return "/"
	}
	file := os.NewFile(uintptr(fd), "passwd")
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "/"
	}
	return parseHome(io.LimitReader(file, 1<<20), uid)
}

// parseHome reads passwd(5): name:password:uid:gid:comment:home:shell.
func parseHome(passwd io.Reader, uid uint32) string {
	for lines := bufio.NewScanner(passwd); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 6 || fields[2] != strconv.FormatUint(uint64(uid), 10) {
			continue
		}
		if home := fields[5]; strings.HasPrefix(home, "/") && strings.IndexByte(home, 0) < 0 {
			return home
		}
	}
	return "/"
}
