package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// cacheVersion goes into every digest. It must change whenever the compiler or
// its table begins to make other programs of the same profiles; a test
// remembers what they are.
const cacheVersion = "1"

// DigestOf names what a profile's text compiles to on a machine.
func DigestOf(profile []byte, goarch string) string {
	h := sha256.New()
	fmt.Fprintf(h, "minictr seccomp %s %s\n", cacheVersion, goarch)
	h.Write(profile)
	return hex.EncodeToString(h.Sum(nil))
}

// Cached is [Compile] of a profile's JSON text, remembered as a file in dir:
// the second time neither the text is decoded nor the profile compiled. Any
// number of processes may use dir at once; a file that is not whole is made
// again. What cannot be remembered (a full disk) is no error.
//
// Whoever can write to dir decides what containers may do: it must be root's.
func Cached(dir string, profile []byte, goarch string) (Filter, error) {
	path := filepath.Join(dir, DigestOf(profile, goarch)+".bpf")
	if b, err := kernel.Load(path); err == nil {
		if f, ok := decode(b); ok {
			return f, nil
		}
	}
	var p *specs.LinuxSeccomp
	if err := json.Unmarshal(profile, &p); err != nil {
		return Filter{}, fmt.Errorf("read the seccomp profile: %w", err)
	}
	f, err := Compile(p, goarch)
	if err == nil && !f.Empty() {
		_ = store(path, f.encode())
	}
	return f, err
}

// store writes the file under another name first: a reader sees all or none.
func store(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the compiled profile: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("keep the compiled profile: %w", err)
	}
	_, err = tmp.Write(content)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("keep the compiled profile: %w", err)
	}
	return nil
}

// A file is the flags, the program as the kernel reads it, and a checksum of
// both, in the machine's byte order: it never leaves the machine.
const instructionSize = int(unsafe.Sizeof(unix.SockFilter{}))

func (f Filter) encode() []byte {
	b := make([]byte, 8, 8+len(f.Program)*instructionSize+sha256.Size)
	binary.NativeEndian.PutUint64(b, uint64(f.Flags))
	for _, in := range f.Program {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decode(b []byte) (Filter, bool) {
	n := len(b) - sha256.Size - 8
	if n <= 0 || n%instructionSize != 0 || n/instructionSize > maxInstructions {
		return Filter{}, false
	}
	body := b[:8+n]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[8+n:]) {
		return Filter{}, false
	}
	f := Filter{make([]unix.SockFilter, n/instructionSize), Flags(binary.NativeEndian.Uint64(body))}
	for i := range f.Program {
		in := body[8+i*instructionSize:]
		f.Program[i] = unix.SockFilter{
			Code: binary.NativeEndian.Uint16(in), Jt: in[2], Jf: in[3], K: binary.NativeEndian.Uint32(in[4:]),
		}
	}
	return f, true
}
