package record

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A list of a thousand containers is two thousand small files. What os.ReadFile
// does to find out whether a file can be waited for (epoll(7)) is more than half
// of its system calls, and no use here.

// readFile reads a regular file.
func readFile(path string) ([]byte, error) {
	fd, err := open(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	b := make([]byte, 0, 2048)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err != nil && err != unix.EINTR {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if err == nil {
			if b = b[:len(b)+n]; len(b) < cap(b) {
				return b, nil // a regular file gives less than was asked for only at its end
			}
		}
	}
}

func open(path string) (fd int, err error) {
	for {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// InParallel does something n times, on all processors if that is often. It
// returns when all is done.
func InParallel(n int, do func(i int)) {
	const few = 50 // not worth another thread
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)-1, n/few) {
		others.Go(work)
	}
	work()
	others.Wait()
}
