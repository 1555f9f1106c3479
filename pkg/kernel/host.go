package kernel

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Host makes calls in this process and remembers their results by slot, so
// that later calls, here or in a spawned child, can use them.
//
// Calls that concern the thread (setns, unshare, clone) need the caller to
// hold runtime.LockOSThread for as long as the Host is used.
type Host struct {
	Slots map[Slot]uintptr

	open map[Slot]bool // slots with descriptors that calls made here have opened
	done map[Slot]bool // whether the last call that was to fill the slot did; for guards, also after a close
}

// NewHost returns a Host without results.
func NewHost() *Host {
	return &Host{Slots: make(map[Slot]uintptr), open: make(map[Slot]bool), done: make(map[Slot]bool)}
}

// opens are the calls that return a new descriptor.
var opens = map[string]bool{
	"openat": true, "openat2": true, "open_tree": true, "fsopen": true, "fsmount": true, "socket": true,
	"pidfd_open": true, "pidfd_getfd": true, "eventfd2": true, "bpf": true,
}

// CloseAll closes every descriptor that calls made here have opened and not
// closed: a plan that broke off between the two.
func (h *Host) CloseAll() {
	for s := range h.open {
		_ = unix.Close(int(h.Slots[s]))
		delete(h.Slots, s)
	}
	clear(h.open)
}

// keepTrack notes the descriptors that a call opened or closed.
func (h *Host) keepTrack(c Call) {
	if c.Save != "" && opens[c.Name] {
		h.open[c.Save] = true
	}
	if s, ok := slotOf(c); ok && c.Name == "close" {
		delete(h.open, s)
		delete(h.Slots, s)
	}
}

// slotOf is the slot of a call's first argument.
func slotOf(c Call) (Slot, bool) {
	if len(c.Args) == 0 {
		return "", false
	}
	s, ok := c.Args[0].(slotArg)
	return Slot(s), ok
}

// Do makes one call. A failure that the call allows is in the Result only.
func (h *Host) Do(c Call) (Result, error) {
	if !h.holds(c.When) || !h.holds(c.Also) {
		return Result{State: Skipped}, nil
	}
	t, err := compile([]Call{c}, h.Slots)
	if err != nil {
		return Result{}, err
	}
	o := &t.ops[0]
	r := Result{State: Done, Start: nanotime()}
	for {
		r.Ret, _, r.Errno = syscall.Syscall6(o.nr, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
		if !interrupted(o.nr, r.Errno) {
			break
		}
	}
	if r.Errno == 0 && o.kind != plain {
		r.Errno = verdict(o, r.Ret)
	}
	r.End = nanotime()
	t.alive()
	if c.Save != "" {
		h.done[c.Save] = r.Errno == 0
	}
	if r.Errno == 0 {
		if c.Save != "" {
			h.Slots[c.Save] = r.Ret
		}
		h.keepTrack(c)
	}
	if r.Errno != 0 && !c.Allowed(r.Errno) {
		return r, &CallError{Call: c, Text: h.Text(c), Errno: r.Errno}
	}
	return r, nil
}

// interrupted reports whether a signal has ended a call before it did anything:
// bpf(2) has EAGAIN for that, when the check of a program is given up.
func interrupted(nr uintptr, err syscall.Errno) bool {
	return err == syscall.EINTR || err == syscall.EAGAIN && nr == unix.SYS_BPF
}

// holds reports whether a guard lets its call be made.
func (h *Host) holds(g Guard) bool {
	if g.Slot == "" {
		return true
	}
	ok, known := h.done[g.Slot]
	if !known {
		_, ok = h.Slots[g.Slot]
	}
	return ok != g.Failed
}

// Text prints c with the results it uses filled in.
func (h *Host) Text(c Call) string { return c.format(h.Slots) }

// Child is a spawned process that is making, or has made, its calls.
type Child struct {
	PID   int       // in this process's pid namespace; of the last process, after a fork call
	Clone Result    // of the clone3 that made it
	Rec   *Recorder // one entry a call

	calls []Call
	known map[Slot]uintptr
	table *table
	sync  int // our end of the socket pair; -1 when closed
}

// The child's end of the pair, for Tell and Await, and ours, which the child
// closes by its own death or by execve.
const syncSlot Slot = "sync"

// Spawn clones a process with args (see [Clone]) that makes the calls of all
// lists one after the other and ends with an execve; it returns at once, with
// the child under way. The caller must hold runtime.LockOSThread if the thread's namespaces
// differ from the process's, and call Close when done with the Child.
func (h *Host) Spawn(clone Call, lists ...[]Call) (*Child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair to follow the child: %w", err)
	}
	defer unix.Close(pair[1])
	known := make(map[Slot]uintptr, len(h.Slots)+1)
	for s, v := range h.Slots {
		known[s] = v
	}
	known[syncSlot] = uintptr(pair[1])
	calls := slices.Concat(append([][]Call{preamble(pair[0])}, lists...)...)
	c := &Child{calls: calls, known: known, sync: pair[0]}
	if c.table, err = compile(calls, known); err == nil {
		c.Rec, err = newRecorder(len(calls))
	}
	if err == nil {
		err = c.clone(h, clone)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Preamble is how many calls every child makes before those it was given.
const Preamble = 2

// preamble puts right what every child inherits: the parent's end of the pair,
// without whose closing nobody would notice the parent's death, and Go's
// blocked signals.
func preamble(parentEnd int) []Call { return []Call{Close(Int(parentEnd)), Sigprocmask()} }

func (c *Child) clone(h *Host, call Call) error {
	args, ok := call.Args[0].(*CloneArgs)
	if !ok {
		return fmt.Errorf("spawn wants a clone3 call, not %s", call)
	}
	raw := args.raw(h.Slots)
	start := nanotime()
	pid, errno := cloneAndRun(&raw, unsafe.Sizeof(raw), c.table, c.Rec)
	end := nanotime()
	c.Clone = Result{Ret: pid, Errno: errno, Start: start, End: end, State: Done}
	if errno != 0 {
		return &CallError{Call: call, Text: h.Text(call), Errno: errno}
	}
	c.PID = int(pid)
	return nil
}

// Calls is the child's whole list: the Preamble, then what Spawn was given.
func (c *Child) Calls() []Call { return c.calls }

// Hear waits for the byte of the child's next Tell call. It reports false when
// the child went away instead: by execve, by a failed call, or killed.
func (c *Child) Hear() bool {
	var b [1]byte
	for {
		n, err := unix.Read(c.sync, b[:])
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == 1
	}
}

// Release lets the child pass its next Await call. It reports false when there
// is no child any more.
func (c *Child) Release() bool {
	for {
		err := unix.Sendto(c.sync, []byte{'g'}, unix.MSG_NOSIGNAL, nil)
		if err == unix.EINTR {
			continue
		}
		return err == nil
	}
}

// Abandon closes our end of the pair: a child that awaits us breaks off.
func (c *Child) Abandon() {
	if c.sync >= 0 {
		unix.Close(c.sync)
		c.sync = -1
	}
}

// Texts prints every call with the results it used filled in, as far as they
// are known.
func (c *Child) Texts() []string {
	slots := make(map[Slot]uintptr, len(c.known))
	for s, v := range c.known {
		slots[s] = v
	}
	texts := make([]string, len(c.calls))
	for i, call := range c.calls {
		texts[i] = call.format(slots)
		if call.Save != "" {
			if r := c.Rec.Result(i); r.OK() {
				slots[call.Save] = r.Ret
			}
		}
	}
	return texts
}

// Results returns what the child has saved so far, by slot. Descriptors among
// them are the child's own; see [PidfdGetfd].
func (c *Child) Results() map[Slot]uintptr {
	slots := make(map[Slot]uintptr)
	for i, call := range c.calls {
		if r := c.Rec.Result(i); call.Save != "" && r.OK() {
			slots[call.Save] = r.Ret
		}
	}
	return slots
}

// Final returns the process that goes on after fork calls: the clone's own
// pid where there is none.
func (c *Child) Final() int {
	pid := c.PID
	for i, call := range c.calls {
		if call.kind == fork {
			if r := c.Rec.Result(i); r.OK() {
				pid = int(r.Ret)
			}
		}
	}
	return pid
}

// Executed reports whether the child's last call became the container's
// program, and if not, which call broke off and why. Ask it after Hear said
// false.
func (c *Child) Executed() error {
	refused := -1 // the most telling of the execve calls that were refused
	for i, call := range c.calls {
		r := c.Rec.Result(i)
		switch {
		case r.State == Skipped || r.OK():
			continue
		case r.State == Entered && call.kind == exec:
			return nil
		case r.State == Entered || r.State == Pending:
			return c.errorOf(i, Result{Errno: syscall.EINTR}, true)
		case call.kind == exec && call.Allowed(r.Errno):
			// A file that is there and may not be run says more than one that is not there.
			if refused < 0 || c.Rec.Result(refused).Errno == syscall.ENOENT {
				refused = i
			}
		case !call.Allowed(r.Errno):
			return c.errorOf(i, r, false)
		}
	}
	if refused >= 0 {
		return c.errorOf(refused, c.Rec.Result(refused), false)
	}
	return errors.New("the list of calls ends without execve")
}

func (c *Child) errorOf(i int, r Result, killed bool) *CallError {
	return &CallError{Call: c.calls[i], Text: c.Texts()[i], Index: i, Errno: r.Errno, Killed: killed}
}

// Close forgets the child: the pair and the recorder. It does not end it.
func (c *Child) Close() {
	c.Abandon()
	if c.Rec != nil {
		c.Rec.close()
	}
}
