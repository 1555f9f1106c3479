package logging

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// GiveBack gives the kernel the memory of a buffer that nothing is in just now.
// The buffer can be used as before: its pages come back, full of zeros, when
// they are written to (madvise(2), MADV_DONTNEED).
//
// Setting the buffer to nil would do, too, and cost a garbage collection, whose
// own tables take more than the buffer did.
func GiveBack(b []byte) {
	page := uintptr(os.Getpagesize())
	b = b[:cap(b)]
	if len(b) == 0 {
		return
	}
	// Only whole pages: others' memory begins and ends with them.
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	from, to := (start+page-1)&^(page-1), (start+uintptr(len(b)))&^(page-1)
	if from < to {
		_ = unix.Madvise(b[from-start:to-start], unix.MADV_DONTNEED)
	}
}

// Idle gives memory back that is of use only while the container prints.
func (w *Writer) Idle() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sink
	if c, ok := s.(*cached); ok {
		s = c.copy
	}
	if f, ok := s.(*files); ok && len(f.buf) == 0 {
		GiveBack(f.buf)
	}
}
