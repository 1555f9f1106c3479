package kernel

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BPFInsn is struct bpf_insn: one eBPF instruction (RFC 9669).
type BPFInsn struct {
	Code uint8
	Regs uint8 // destination in the low half, source in the high half
	Off  int16
	Imm  int32
}

// bpfProgLoad is the beginning of union bpf_attr for BPF_PROG_LOAD, up to the
// last field we set. Pointers are 64 bits wide in the kernel's structure, and
// so are ours on every machine we build for.
type bpfProgLoad struct {
	progType, insnCnt   uint32
	insns, license      unsafe.Pointer
	logLevel, logSize   uint32
	logBuf              unsafe.Pointer
	kernVersion, flags  uint32
	name                [16]byte
	ifindex, attachType uint32
}

// BPFProgLoad is bpf(2) with BPF_PROG_LOAD: the kernel checks the program,
// compiles it, and returns a descriptor of it.
func BPFProgLoad(typ, attach Named, prog []BPFInsn, license string) Call {
	text := append([]byte(license), 0)
	attr := &bpfProgLoad{
		progType: uint32(typ.Value), attachType: uint32(attach.Value),
		insns: unsafe.Pointer(unsafe.SliceData(prog)), insnCnt: uint32(len(prog)), license: unsafe.Pointer(&text[0]),
	}
	show := func() string {
		return fmt.Sprintf(`{prog_type=%s, insn_cnt=%d, insns=%p, license=%s, log_level=0, log_size=0, log_buf=NULL, `+
			`kern_version=KERNEL_VERSION(0, 0, 0), prog_flags=0, prog_name="", prog_ifindex=0, expected_attach_type=%s}`,
			typ.Name, len(prog), attr.insns, quote([]byte(license), 128), attach.Name)
	}
	return call("bpf", unix.SYS_BPF, Named{"BPF_PROG_LOAD", unix.BPF_PROG_LOAD},
		memory{unsafe.Pointer(attr), show}, Int(unsafe.Sizeof(*attr)))
}

// BPFProgAttach is bpf(2) with BPF_PROG_ATTACH and BPF_F_ALLOW_MULTI: the
// program in one slot is asked about everything that happens in the cgroup
// whose directory is open in the other, beside programs that are there already.
// Host side only.
func BPFProgAttach(target, prog Slot, attach Named) Call {
	b := make([]byte, 16) // target_fd, attach_bpf_fd, attach_type, attach_flags
	binary.NativeEndian.PutUint32(b[8:], uint32(attach.Value))
	binary.NativeEndian.PutUint32(b[12:], unix.BPF_F_ALLOW_MULTI)
	attr := &Message{
		Bytes: b, Patches: []Patch{{0, target}, {4, prog}},
		Show: "target_fd=%s, attach_bpf_fd=%s, attach_type=" + attach.Name + ", attach_flags=BPF_F_ALLOW_MULTI",
	}
	return call("bpf", unix.SYS_BPF, Named{"BPF_PROG_ATTACH", unix.BPF_PROG_ATTACH}, attr, Int(len(b)))
}
