package shim

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/logging"
	"minictr/pkg/process"
	"minictr/pkg/shim/wire"
	"minictr/pkg/terminal"
)

// stdio is the shim's side of the container's standard streams: pipes, or the
// master of its terminal.
type stdio struct {
	slots  map[kernel.Slot]int // the container's ends, until the plan has run
	input  input
	output []stream
	tty    *os.File // the master; also in output and input

	over    chan struct{} // closed when all outputs have ended
	moved   atomic.Int64  // pieces read from the container
	passing atomic.Int32  // pieces on their way to the log and the clients
}

// stream is one output of the container.
type stream struct {
	file *os.File
	kind wire.Type
}

func newStdio(tty, stdin bool, spec *specs.Spec) (*stdio, error) {
	s := &stdio{slots: make(map[kernel.Slot]int)}
	if tty {
		return s, nil // the plan makes the terminal, inside
	}
	err := s.openInput(stdin)
	for _, o := range []struct {
		slot kernel.Slot
		kind wire.Type
	}{{process.Stdout, wire.Stdout}, {process.Stderr, wire.Stderr}} {
		if err == nil {
			err = s.openOutput(o.slot, o.kind)
		}
	}
	if err == nil {
		err = s.own(spec)
	}
	if err != nil {
		return nil, fmt.Errorf("make the container's standard streams: %w", err)
	}
	return s, nil
}

func (s *stdio) openInput(wanted bool) error {
	if !wanted {
		null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		s.slots[process.Stdin] = null
		return err
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	s.slots[process.Stdin] = ends[0]
	s.input.file = ours(ends[1], "stdin")
	return nil
}

// pipeSize is what we want of a pipe: room enough that the container and the
// shim need not take turns. The kernel uses memory only for what is in it.
const pipeSize = 256 << 10

func (s *stdio) openOutput(slot kernel.Slot, kind wire.Type) error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	// A user beyond the system's limit keeps the default size.
	_, _ = unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, pipeSize)
	s.slots[slot] = ends[1]
	s.output = append(s.output, stream{ours(ends[0], string(slot)), kind})
	return nil
}

// ours makes a file of the shim's end: one that does not block a thread.
func ours(fd int, name string) *os.File {
	_ = unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}

// own gives the pipes to the container's user: /dev/stdout is opened anew by
// programs that log there, and the kernel then asks for permission.
func (s *stdio) own(spec *specs.Spec) error {
	if spec.Process == nil {
		return nil
	}
	uid := int(hostID(spec.Process.User.UID, spec))
	for slot, fd := range s.slots {
		if slot == process.Stdin && s.input.file == nil {
			continue // not ours to give: /dev/null
		}
		if err := unix.Fchown(fd, uid, -1); err != nil {
			return fmt.Errorf("give %s to user %d: %w", slot, uid, err)
		}
	}
	return nil
}

// hostID is the user outside that a user namespace's configuration makes uid.
func hostID(uid uint32, spec *specs.Spec) uint32 {
	if spec.Linux == nil {
		return uid
	}
	for _, m := range spec.Linux.UIDMappings {
		if uid >= m.ContainerID && uid-m.ContainerID < m.Size {
			return m.HostID + uid - m.ContainerID
		}
	}
	return uid
}

// started closes the container's ends: the container has its own copies, and
// while we hold one, its output has no end.
func (s *stdio) started() {
	for _, fd := range s.slots {
		_ = unix.Close(fd)
	}
	clear(s.slots)
}

// adopt takes the terminal's master, if the plan made one.
func (s *stdio) adopt(slots map[kernel.Slot]uintptr) error {
	master, ok := slots[terminal.Copy]
	if !ok {
		return nil
	}
	s.tty = ours(int(master), "terminal")
	s.output = append(s.output, stream{s.tty, wire.Stdout})
	s.input.file, s.input.terminal = s.tty, true
	return nil
}

// pump begins to read what the container prints; deliver gets each piece
// before the next one is read, so a slow reader slows the container down
// instead of filling memory. When a stream has been silent for a while, rest is
// called. The pumps end with the streams.
func (s *stdio) pump(deliver func(wire.Type, *wire.Buffer, int), rest func()) {
	var pumps sync.WaitGroup
	for _, o := range s.output {
		pumps.Go(func() {
			p := wire.NewBuffer()
			for used := false; ; {
				if used {
					_ = o.file.SetReadDeadline(time.Now().Add(quiet))
				}
				n, err := o.file.Read(p.Room())
				if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
					_ = o.file.SetReadDeadline(time.Time{})
					used = false
					logging.GiveBack(p.Room())
					rest()
					continue
				}
				used = true
				if n > 0 {
					s.passing.Add(1)
					deliver(o.kind, p, n)
					s.passing.Add(-1)
					s.moved.Add(1)
				}
				if err != nil { // EOF, or EIO from a terminal without users
					return
				}
			}
		})
	}
	s.over = make(chan struct{})
	go func() {
		pumps.Wait()
		close(s.over)
	}()
}

// lull is how long an output may be silent after the container's end before
// it is given up. Usually the end of the container's first process ends all
// that could hold it open; processes outside its pid namespace could.
const lull = 500 * time.Millisecond

// drain waits until all that the container printed has been delivered, and
// reports whether it has. A reader may be slow; limit is how long it is waited
// for, 0 as long as it takes.
func (s *stdio) drain(limit time.Duration) bool {
	start, before := time.Now(), int64(-1)
	for {
		select {
		case <-s.over:
			return true
		case <-time.After(lull):
		}
		moved := s.moved.Load()
		if s.passing.Load() == 0 && moved == before {
			for _, o := range s.output {
				o.file.Close() // wakes its pump
			}
			<-s.over
			return true
		}
		if limit > 0 && time.Since(start) > limit {
			return false
		}
		before = moved
	}
}

// resize passes a new window size on to the terminal.
func (s *stdio) resize(size terminal.Size) {
	if s.tty != nil {
		_ = terminal.Resize(s.tty, size) // the container may just have ended
	}
}

// input is the container's standard input. Several clients may write to it.
type input struct {
	mu       sync.Mutex
	file     *os.File // nil: there is none, or it has ended
	terminal bool
}

var errInputOver = errors.New("the container takes no input")

func (in *input) Write(b []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.file == nil {
		return 0, errInputOver
	}
	return in.file.Write(b)
}

// end closes the input. A terminal has no such end: its user types Ctrl-D.
func (in *input) end() {
	if in.terminal {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.file != nil {
		in.file.Close()
		in.file = nil
	}
}
