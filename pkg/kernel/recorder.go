package kernel

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Recorder is the flight recorder: shared memory in which a spawned process
// writes down what the kernel answered to each of its calls, and which the
// parent can read at any time, also after the process died.
type Recorder struct {
	mem     []byte
	entries []entry
}

// entry is one call's line in the recorder. Its state is written last.
type entry struct {
	ret   uintptr
	start int64
	end   int64
	errno uint32
	state uint32
}

func newRecorder(n int) (*Recorder, error) {
	size := n * int(unsafe.Sizeof(entry{}))
	if size == 0 {
		return &Recorder{}, nil
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for the flight recorder: %w", size, err)
	}
	return &Recorder{mem, unsafe.Slice((*entry)(unsafe.Pointer(&mem[0])), n)}, nil
}

// Result reads what is known of call i.
func (r *Recorder) Result(i int) Result {
	e := &r.entries[i]
	state := State(atomic.LoadUint32(&e.state))
	res := Result{State: state, Start: e.start}
	if state == Done {
		res.Ret, res.Errno, res.End = e.ret, syscall.Errno(e.errno), e.end
	}
	return res
}

// Len is the number of calls the recorder has room for.
func (r *Recorder) Len() int { return len(r.entries) }

func (r *Recorder) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem, r.entries = nil, nil
	}
}
