package oci

import (
	"bufio"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fillHome sets HOME where the configuration does not: to the home of the
// program's user in the root's own /etc/passwd, or to "/". Shells and git would
// stop without it, and engines leave it to the runtime (runc and crun do it).
// An engine may mount a passwd file of its own over the root's.
//
// Each variable is left once, with its last value: what a program makes of two
// is its own business (libc takes the first, shells the last).
func fillHome(p *specs.Process, root string, mounts []specs.Mount) {
	if p == nil {
		return
	}
	p.Env = once(p.Env)
	if slices.ContainsFunc(p.Env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }) {
		return
	}
	home := ""
	i := slices.IndexFunc(mounts, func(m specs.Mount) bool { return path.Clean(m.Destination) == "/etc/passwd" })
	if i >= 0 {
		home = homeInFile(unix.AT_FDCWD, mounts[i].Source, 0, p.User.UID)
	} else {
		home = homeIn(root, p.User.UID)
	}
	p.Env = append(p.Env, "HOME="+home)
}

// once leaves the last value of each variable, and no empty HOME.
func once(env []string) []string {
	last := make(map[string]int, len(env))
	for i, v := range env {
		name, _, _ := strings.Cut(v, "=")
		last[name] = i
	}
	out := make([]string, 0, len(env)+1)
	for i, v := range env {
		if name, _, _ := strings.Cut(v, "="); last[name] == i && v != "HOME=" {
			out = append(out, v)
		}
	}
	return out
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
	return homeInFile(dir, "etc/passwd", unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS, uid)
}

func homeInFile(dir int, name string, resolve uint64, uid uint32) string {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: resolve,
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
