package reaper

import (
	"bytes"
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

// machines are the numbers that the ELF header has for them.
var machines = map[string]uint16{"amd64": 62, "arm64": 183}

// elfHeader and segment are Elf64_Ehdr and Elf64_Phdr of elf(5). Package debug/elf
// has them too, and brings all that debuggers want of a file.
type elfHeader struct {
	ident                                 [16]byte
	typ, machine                          uint16
	version                               uint32
	entry, segments                       uint64 // an address, and an offset in the file
	_                                     uint64 // there are no sections
	_                                     uint32 // no flags
	headerSize, segmentSize, segmentCount uint16
	_                                     [3]uint16 // about sections again
}

type segment struct {
	typ, flags                                     uint32
	_                                              uint64 // offset in the file: all of it is mapped
	address, physical, fileSize, memorySize, align uint64
}

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
	const readable, writable, executable, load, gnuStack = 4, 2, 1, 1, 0x6474e551
	size := uint64(start + len(text))
	header := elfHeader{
		ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little-endian, version 1
		typ:   2,                                      // ET_EXEC: it lies where it says
		entry: base + start, machine: machines[runtime.GOARCH], version: 1, segments: 64, headerSize: 64, segmentSize: 56, segmentCount: 2,
	}
	segments := []segment{
		{typ: load, flags: readable | executable, address: base, physical: base, fileSize: size, memorySize: size, align: 0x10000},
		{typ: gnuStack, flags: readable | writable, align: 16}, // no instructions on the stack
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
