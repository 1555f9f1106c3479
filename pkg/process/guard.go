package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// An image can have its own first process run our program instead of its: the
// file /proc/self/exe, as a command, behind a link, or behind "#!". Then there
// is a process in the container whose /proc/<pid>/exe is our binary on the
// host, and root in the container keeps it open until nobody runs it, and
// overwrites it (CVE-2019-5736).
//
// So our process must not have been started from that file when it calls
// execve. Others copy themselves or start once more, from a read-only place,
// which takes milliseconds. We exchange the file under the running program:
// the same pages are mapped once more, through a read-only copy of the mount
// that the binary is on, and the kernel is told that this is the file we
// execute. Whoever reopens it gets EROFS. That takes ten calls and some page
// faults.

const (
	exeTree kernel.Slot = "exe-mount"
	exeFile kernel.Slot = "exe-file"
	exeData kernel.Slot = "exe-data"
)

// Exe is how our own program lies in memory.
type Exe struct {
	parts []mapping
	mm    kernel.MMMap
}

// mapping is a part of the file in memory, as in /proc/self/maps.
type mapping struct {
	start, end uintptr
	prot       int
	offset     int64
}

// OwnExe looks at this process. It reports false where the exchange cannot be
// made: a kernel without CONFIG_CHECKPOINT_RESTORE.
var OwnExe = sync.OnceValues(func() (Exe, bool) {
	if !kernel.CanSetMMMap() {
		return Exe{}, false
	}
	parts, err := ownMappings()
	if err != nil || len(parts) == 0 {
		return Exe{}, false
	}
	mm, err := ownMap()
	return Exe{parts, mm}, err == nil
})

func ownMappings() ([]mapping, error) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	maps, err := kernel.Load("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	var parts []mapping
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(line, " "+self+"\n") {
			continue
		}
		m, err := parseMapping(line)
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	return parts, nil
}

// parseMapping reads a line of proc_pid_maps(5): "start-end perms offset …".
func parseMapping(line string) (m mapping, err error) {
	fields := strings.Fields(line)
	if len(fields) < 6 || len(fields[1]) != 4 {
		return m, fmt.Errorf("not a line of /proc/self/maps: %q", line)
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, errs := strconv.ParseUint(from, 16, 64)
	end, erre := strconv.ParseUint(to, 16, 64)
	offset, erro := strconv.ParseInt(fields[2], 16, 64)
	if err := errors.Join(errs, erre, erro); err != nil {
		return m, fmt.Errorf("not a line of /proc/self/maps: %w", err)
	}
	m = mapping{start: uintptr(start), end: uintptr(end), offset: offset}
	for i, bit := range []int{unix.PROT_READ, unix.PROT_WRITE, unix.PROT_EXEC} {
		if fields[1][i] != '-' {
			m.prot |= bit
		}
	}
	return m, nil
}

// ownMap reads the fields of proc_pid_stat(5) that PR_SET_MM_MAP wants again.
func ownMap() (kernel.MMMap, error) {
	b, err := kernel.Load("/proc/self/stat")
	if err != nil {
		return kernel.MMMap{}, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 49 {
		return kernel.MMMap{}, fmt.Errorf("/proc/self/stat has %d fields", len(fields))
	}
	field := func(n int) uint64 { // numbered as in the manual page
		v, _ := strconv.ParseUint(fields[n-3], 10, 64)
		return v
	}
	brk, _, _ := unix.RawSyscall(unix.SYS_BRK, 0, 0, 0)
	return kernel.MMMap{
		StartCode: field(26), EndCode: field(27), StartStack: field(28), StartData: field(45), EndData: field(46),
		StartBrk: field(47), Brk: max(uint64(brk), field(47)), ArgStart: field(48), ArgEnd: field(49), EnvStart: field(50), EnvEnd: field(51),
		Exe: exeFile,
	}, nil
}

// Lend opens our own program through a read-only copy of its mount.
func (e Exe) Lend() step.Step {
	return step.Step{
		Name: "process.lend", Topic: book.Capabilities, Side: step.Host,
		Why: "the new process will run from a read-only view of our program's file, so that nobody in the container can write to the file through it",
		Calls: []kernel.Call{
			// The new process inherits this: not even its first moment is open to others.
			kernel.SetDumpable(false),
			kernel.OpenTree(kernel.AtFDCWD, "/proc/self/exe", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(exeTree),
			kernel.MountSetattr(kernel.FD(exeTree), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, unix.MS_PRIVATE),
			kernel.OpenPath(kernel.Path{"/proc/self/fd/", exeTree}, unix.O_RDONLY|unix.O_CLOEXEC).Into(exeFile),
		},
		Rule: "a detached mount goes with its last descriptor",
	}
}

// Release closes it here, after the clone. The last descriptor of the mount takes
// it away, and for that the kernel waits until all processors have noticed
// (synchronize_rcu_expedited): so we close ours while the new process is at work,
// and that one closes its own first of all.
func (e Exe) Release() step.Step {
	return step.Step{
		Name: "process.release", Topic: book.Capabilities, Side: step.Host,
		Why:   "the new process has its own descriptors of the program's file and of its mount",
		Calls: []kernel.Call{kernel.Close(kernel.FD(exeFile)), kernel.Close(kernel.FD(exeTree))},
		Rule:  "a closed descriptor leaves nothing",
	}
}

// Guard exchanges the file under the running program. Its variables cannot
// come from the file, where they are as they were at the start: a copy of them
// is mapped.
func (e Exe) Guard() step.Step {
	s := inside("process.guard", book.Capabilities,
		"run from the read-only view of our program: an image that has /proc/self/exe executed gets a file that nobody can write to")
	file := kernel.FD(exeFile)
	s.Calls = append(s.Calls, kernel.Close(kernel.FD(exeTree)))
	for _, m := range e.parts {
		length := int(m.end - m.start)
		if m.prot&unix.PROT_WRITE == 0 {
			s.Calls = append(s.Calls, kernel.MmapFixed(m.start, length, m.prot, file, m.offset))
			continue
		}
		s.Calls = append(s.Calls,
			kernel.MemfdCreate("data").Into(exeData),
			kernel.WriteMemory(kernel.FD(exeData), m.start, length),
			kernel.MmapFixed(m.start, length, m.prot, kernel.FD(exeData), 0),
			kernel.Close(kernel.FD(exeData)))
	}
	s.Calls = append(s.Calls, kernel.SetMMMap(e.mm), kernel.Close(file))
	return s
}
