package reaper

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

// Path is where the program appears in a container: where docker's does.
const Path = "/sbin/docker-init"

// Args is the command line of a container's first process that runs args.
func Args(args []string) []string { return append([]string{Path, "--"}, args...) }

// What lies in front of the instructions, and where: they name the addresses.
const (
	base    = 0x400000 // where the file is mapped
	headers = 176      // an ELF header, and two program headers
	message = "docker-init: cannot run \n"
	start   = headers + 32 // the instructions
)

// code is the program; it must not be called. address is where it lies.
func code() //lint:ignore U1000 its instructions are the program

func address() uintptr

// undefined is an instruction that there is none of; four of them end the code.
var undefined = map[string][]byte{
	"amd64": {0x0f, 0x0b},
	"arm64": {0x00, 0x00, 0x00, 0x00}, // UDF
}

// Program is the program as a file: an ELF executable for this machine.
func Program() ([]byte, error) {
	text, err := instructions()
	if err != nil {
		return nil, err
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	size := uint64(start + len(text))
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + start, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	}
	segments := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x10000},
		{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16}, // no instructions on the stack
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, header) // a bytes.Buffer takes all
	_ = binary.Write(&b, binary.LittleEndian, segments)
	b.WriteString(message)
	b.Write(make([]byte, start-b.Len()))
	b.Write(text)
	return b.Bytes(), nil
}

// instructions copies the code out of this process.
func instructions() ([]byte, error) {
	end := bytes.Repeat(undefined[runtime.GOARCH], 4)
	const most = 4096
	all := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&[]uintptr{address()}[0]))), most)
	n := bytes.Index(all, end)
	if len(end) == 0 || n < 0 {
		return nil, fmt.Errorf("there is no reaper (--init) for %s", runtime.GOARCH)
	}
	return bytes.Clone(all[:n]), nil
}

// Write writes the program to path, unless it is there.
func Write(path string) error {
	program, err := Program()
	if err != nil {
		return err
	}
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, program) {
		return nil
	}
	err = os.WriteFile(path+".new", program, 0o755)
	if err == nil {
		err = os.Chmod(path+".new", 0o755) // whatever our umask is
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write the reaper: %w", err)
	}
	return nil
}
