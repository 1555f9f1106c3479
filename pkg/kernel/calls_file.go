package kernel

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Openat is openat(2).
func Openat(dir Arg, path string, flags OpenFlags, mode uint32) Call {
	args := []Arg{dir, Str(path), openFlagArg(flags)}
	if flags&unix.O_CREAT != 0 {
		args = append(args, Octal(mode))
	}
	return call("openat", unix.SYS_OPENAT, args...)
}

type openFlagArg OpenFlags

func (v openFlagArg) text(map[Slot]uintptr) string { return OpenFlags(v).String() }
func (v openFlagArg) word(*table) operand          { return immediate(uintptr(v)) }

// Openat2 is openat2(2) (Linux 5.6): open with rules for how the path may be
// resolved (RESOLVE_*).
func Openat2(dir Arg, path string, flags OpenFlags, mode uint32, resolve uint64) Call {
	how := &unix.OpenHow{Flags: uint64(flags), Mode: uint64(mode), Resolve: resolve}
	show := func() string {
		m := ""
		if flags&unix.O_CREAT != 0 {
			m = fmt.Sprintf(", mode=%#o", mode)
		}
		return fmt.Sprintf("{flags=%s%s, resolve=%s}", flags, m, flagText(resolve, resolveNames, "0"))
	}
	return call("openat2", unix.SYS_OPENAT2, dir, Str(path), memory{unsafe.Pointer(how), show}, Int(unsafe.Sizeof(*how)))
}

// Close is close(2).
func Close(fd Arg) Call { return call("close", unix.SYS_CLOSE, fd) }

// Dup3 is dup3(2): newfd becomes a copy of oldfd.
func Dup3(oldfd Arg, newfd int, cloexec bool) Call {
	flags := Arg(Int(0))
	if cloexec {
		flags = Named{"O_CLOEXEC", unix.O_CLOEXEC}
	}
	return call("dup3", unix.SYS_DUP3, oldfd, Int(newfd), flags)
}

// CloseRange is close_range(2) with CLOSE_RANGE_CLOEXEC (Linux 5.11): every
// descriptor from first on closes at the next execve.
func CloseRange(first int, flags uint) Call { return closeRange(Int(first), lastFD, flags) }

var lastFD = Named{"4294967295", 0xffffffff}

func closeRange(first, last Arg, flags uint) Call {
	return call("close_range", unix.SYS_CLOSE_RANGE, first, last, flagSet{uint64(flags), closeRangeNames, "0"})
}

// CloseRest closes every descriptor from first on, but for the child's end of
// the pair that [Tell] and [Await] use: that one closes at execve. What is open
// below first must have been so before [Host.Spawn], which made the pair.
func CloseRest(first int) []Call {
	return []Call{
		// EINVAL: there is nothing in between.
		closeRange(Int(first), besideArg{syncSlot, -1}, 0).Allowing(unix.EINVAL),
		closeRange(besideArg{syncSlot, +1}, lastFD, 0),
	}
}

// Write is write(2).
func Write(fd Arg, data []byte) Call {
	return call("write", unix.SYS_WRITE, fd, Bytes(data), Int(len(data)))
}

// WriteFile is three calls: open an existing file, write one short value, close
// it. Kernel interface files (cgroup, /proc) take a value in one write.
func WriteFile(path, value string) []Call { return WriteTo(Str(path), value) }

// WriteTo is WriteFile for a path that may hold the results of earlier calls.
func WriteTo(path Arg, value string) []Call { return WriteEach(path, value) }

// WriteEach is WriteTo for a file of which each write(2) is a command.
func WriteEach(path Arg, values ...string) []Call {
	const slot Slot = "file"
	calls := make([]Call, 0, len(values)+2)
	calls = append(calls, call("openat", unix.SYS_OPENAT, AtFDCWD, path, openFlagArg(unix.O_WRONLY|unix.O_CLOEXEC)).Into(slot))
	shown := strings.Trim(path.text(nil), `"`)
	for _, v := range values {
		calls = append(calls, Write(FD(slot), []byte(v)).As("echo "+strings.TrimSpace(v)+" > "+shown))
	}
	return append(calls, Close(FD(slot)))
}

// Mkdir is mkdirat(2) relative to the working directory.
func Mkdir(path string, mode uint32) Call { return Mkdirat(AtFDCWD, path, mode).As("mkdir " + path) }

// Mkdirat is mkdirat(2).
func Mkdirat(dir Arg, path string, mode uint32) Call {
	return call("mkdirat", unix.SYS_MKDIRAT, dir, Str(path), Octal(mode))
}

// Unlinkat is unlinkat(2); flags may be AT_REMOVEDIR.
func Unlinkat(dir Arg, path string, flags int) Call {
	return call("unlinkat", unix.SYS_UNLINKAT, dir, Str(path), flagSet{uint64(flags), atNames, "0"})
}

// Rmdir removes an empty directory: unlinkat(2) with AT_REMOVEDIR.
func Rmdir(path string) Call {
	return Unlinkat(AtFDCWD, path, unix.AT_REMOVEDIR).As("rmdir " + path)
}

// Symlinkat is symlinkat(2).
func Symlinkat(target string, dir Arg, path string) Call {
	return call("symlinkat", unix.SYS_SYMLINKAT, Str(target), dir, Str(path)).As("ln -s " + target + " " + path)
}

// Mknodat is mknodat(2); mode holds the type (S_IFCHR…) and the permissions.
func Mknodat(dir Arg, path string, mode uint32, major, minor uint32) Call {
	typ, c := "S_IFCHR", "c"
	switch mode & unix.S_IFMT {
	case unix.S_IFBLK:
		typ, c = "S_IFBLK", "b"
	case unix.S_IFIFO:
		typ = "S_IFIFO"
	}
	dev := unix.Mkdev(major, minor)
	m := Named{fmt.Sprintf("%s|%#o", typ, mode&^unix.S_IFMT), uintptr(mode)}
	d := Named{fmt.Sprintf("makedev(%s, %s)", hexText(uint64(major)), hexText(uint64(minor))), uintptr(dev)}
	if typ == "S_IFIFO" { // has no device number, and strace prints none
		return call("mknodat", unix.SYS_MKNODAT, dir, Str(path), m).As(fmt.Sprintf("mkfifo -m %o %s", mode&0o7777, path))
	}
	return call("mknodat", unix.SYS_MKNODAT, dir, Str(path), m, d).
		As(fmt.Sprintf("mknod -m %o %s %s %d %d", mode&0o7777, path, c, major, minor))
}

// Fchmodat is fchmodat(2).
func Fchmodat(dir Arg, path string, mode uint32) Call {
	return call("fchmodat", unix.SYS_FCHMODAT, dir, Str(path), Octal(mode))
}

// Fchownat is fchownat(2); flags may be AT_SYMLINK_NOFOLLOW or AT_EMPTY_PATH.
func Fchownat(dir Arg, path string, uid, gid int, flags int) Call {
	return call("fchownat", unix.SYS_FCHOWNAT, dir, Str(path), Int(uid), Int(gid), flagSet{uint64(flags), atNames, "0"})
}

// Chdir is chdir(2).
func Chdir(path string) Call { return call("chdir", unix.SYS_CHDIR, Str(path)).As("cd " + path) }

// Fchdir is fchdir(2).
func Fchdir(fd Arg) Call { return call("fchdir", unix.SYS_FCHDIR, fd) }

// Umask is umask(2).
func Umask(mask uint32) Call { return call("umask", unix.SYS_UMASK, Octal(mask)) }

// Ioctl is ioctl(2) with a number as its argument.
func Ioctl(fd Arg, request Named, arg Arg) Call {
	return call("ioctl", unix.SYS_IOCTL, fd, request, arg)
}

// MknodFile is mknodat(2) for an empty regular file: it makes one where none
// is, and never opens what is there.
func MknodFile(path string, mode uint32) Call {
	m := Named{fmt.Sprintf("S_IFREG|%#o", mode), uintptr(unix.S_IFREG | mode)}
	return call("mknodat", unix.SYS_MKNODAT, AtFDCWD, Str(path), m)
}

// Sendfile is sendfile(2): copy up to count bytes from one descriptor to
// another without seeing them.
func Sendfile(out, in Arg, count int) Call {
	return call("sendfile", unix.SYS_SENDFILE, out, in, Null, Int(count))
}
