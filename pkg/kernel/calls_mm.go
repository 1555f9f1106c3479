package kernel

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MmapFixed is mmap(2) with MAP_PRIVATE|MAP_FIXED: what is mapped at addr now
// is replaced in one go.
func MmapFixed(addr uintptr, length int, prot int, fd Arg, offset int64) Call {
	return call("mmap", unix.SYS_MMAP, Hex(addr), Int(length), flagSet{uint64(prot), protNames, "PROT_NONE"},
		Named{"MAP_PRIVATE|MAP_FIXED", unix.MAP_PRIVATE | unix.MAP_FIXED}, fd, Hex(offset))
}

var protNames = []flagName{{unix.PROT_READ, "PROT_READ"}, {unix.PROT_WRITE, "PROT_WRITE"}, {unix.PROT_EXEC, "PROT_EXEC"}}

// WriteMemory is write(2) of this process's own memory from addr on, as it is
// at that moment.
func WriteMemory(fd Arg, addr uintptr, length int) Call {
	return call("write", unix.SYS_WRITE, fd, Hex(addr), Int(length))
}

// MMMap is struct prctl_mm_map of prctl(2), without the auxiliary vector.
type MMMap struct {
	StartCode, EndCode, StartData, EndData, StartBrk, Brk uint64
	StartStack, ArgStart, ArgEnd, EnvStart, EnvEnd        uint64
	Exe                                                   Slot // descriptor of the file that /proc/self/exe is to be
}

// SetMMMap is prctl(2) with PR_SET_MM_MAP (Linux 3.18): describe this process's
// memory, and with it, which file it executes. The old file must not be mapped
// any more.
func SetMMMap(m MMMap) Call {
	v := &mmMap{MMMap: m}
	return Prctl(Named{"PR_SET_MM", unix.PR_SET_MM}, Named{"PR_SET_MM_MAP", unix.PR_SET_MM_MAP}, v, Hex(unsafe.Sizeof(v.raw)), Int(0))
}

// CanSetMMMap asks the kernel for that call (CONFIG_CHECKPOINT_RESTORE).
func CanSetMMMap() bool {
	var size uint32
	return unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_MAP_SIZE, uintptr(unsafe.Pointer(&size)), 0, 0) == nil && size == uint32(unsafe.Sizeof(mmMap{}.raw))
}

// mmMap is an MMMap as an argument; raw is struct prctl_mm_map: 11 addresses,
// auxv, auxv_size and exe_fd.
type mmMap struct {
	MMMap
	raw [104]byte
}

func (v *mmMap) text(map[Slot]uintptr) string {
	return fmt.Sprintf("%#x", uintptr(unsafe.Pointer(&v.raw)))
}

func (v *mmMap) word(t *table) operand {
	for i, addr := range []uint64{
		v.StartCode, v.EndCode, v.StartData, v.EndData, v.StartBrk, v.Brk, v.StartStack, v.ArgStart, v.ArgEnd, v.EnvStart, v.EnvEnd,
	} {
		binary.NativeEndian.PutUint64(v.raw[8*i:], addr)
	}
	binary.NativeEndian.PutUint32(v.raw[100:], uint32(t.parents(v.Exe)))
	return t.pointer(unsafe.Pointer(&v.raw))
}
