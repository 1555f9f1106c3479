package shim

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A machine may run hundreds of shims that do nothing but wait. Three things
// keep such a shim small.
//
// The garbage collector is off until a limit is reached, by its environment
// (see client.Start): while a container is made a collection would only cost
// time, and afterwards there is next to no garbage. Off also means that nothing
// wakes an idle shim every two minutes.
//
// Once things are quiet, the heap's free pages go back to the kernel, after a
// collection if there is garbage. A collection is not for nothing: it makes
// tables of what it has found, some hundred KiB of them. Passing output on makes
// no garbage; its buffers are given back without one (stdio.pump).
//
// And so do the pages of the program itself that were needed to make the
// container: they are in the page cache anyway, shared by all shims, and come
// back with a page fault each if they are needed again.

// All this leaves no garbage either, as long as it happens again and again: a
// container that prints a line every few seconds must not make its shim grow.

// idler gives memory back some time after the shim was last busy.
type idler struct {
	busy, garbage atomic.Bool

	// What follows belongs to whoever has made busy true, and then to rest,
	// until it is false again.
	timer   *time.Timer
	program [][2]uintptr // from, to: see programPages
}

// quiet is how long after something happened memory is given back: later than
// a container that does one thing lives.
const quiet = time.Second

// start begins to look for quiet times.
func (i *idler) start() { i.litter() }

// litter is touch for what leaves garbage.
func (i *idler) litter() {
	i.garbage.Store(true)
	i.touch()
}

// touch notes that something happened. It costs next to nothing.
func (i *idler) touch() {
	if i.busy.Load() || !i.busy.CompareAndSwap(false, true) {
		return
	}
	if i.timer == nil {
		i.timer = time.AfterFunc(time.Hour, i.rest) // it is there before it can go off
	}
	i.timer.Reset(quiet)
}

func (i *idler) rest() {
	if i.program == nil {
		i.program = programPages()
	}
	program := i.program
	i.busy.Store(false) // first: what happens from here on is looked after again
	if i.garbage.CompareAndSwap(true, false) {
		debug.FreeOSMemory()
	}
	for _, part := range program {
		// For a private mapping that was never written to this is no loss:
		// the file is what is behind it.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, part[0], part[1]-part[0], unix.MADV_DONTNEED)
	}
}

// programPages are where this program's own file is mapped and cannot be
// written to. That stays as it is from its start to its end.
func programPages() [][2]uintptr {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	parts := [][2]uintptr{}
	for line := range bytes.Lines(maps) {
		if from, to, ok := filePages(line, self); ok {
			parts = append(parts, [2]uintptr{from, to})
		}
	}
	return parts
}

// filePages takes a line of /proc/<pid>/maps apart, and reports whether it is
// a read-only mapping of the file path.
func filePages(line []byte, path string) (from, to uintptr, ok bool) {
	fields := bytes.Fields(line)
	if len(fields) < 6 || len(fields[1]) < 2 || fields[1][1] == 'w' || string(fields[5]) != path {
		return 0, 0, false
	}
	low, high, _ := bytes.Cut(fields[0], []byte("-"))
	a, err1 := strconv.ParseUint(string(low), 16, 8*int(unsafe.Sizeof(from)))
	b, err2 := strconv.ParseUint(string(high), 16, 8*int(unsafe.Sizeof(to)))
	if err1 != nil || err2 != nil || b <= a {
		return 0, 0, false
	}
	return uintptr(a), uintptr(b), true
}
