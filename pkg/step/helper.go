package step

import (
	"slices"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Helper is a process that lives for no longer than a Host step needs it: some
// things of the kernel can be made only by being born into them. A user
// namespace is one; a program of several threads cannot make it for itself.
// The helper waits, the step makes its calls, and then it ends.
type Helper struct {
	Flags kernel.CloneFlags // namespaces it is born into
	Calls []kernel.Call     // made by us while it lives; they find its pid in slot HelperPID
}

// HelperPID is where a Helper's calls find its pid.
const HelperPID kernel.Slot = "helper"

// All lists what the step does, in order: its calls, and with a helper the call
// that makes it and those made while it lives.
func (s Step) All() []kernel.Call {
	if s.Helper == nil {
		return s.Calls
	}
	return append(append(slices.Clone(s.Calls), s.Helper.Clone()), s.Helper.Calls...)
}

// helper runs the step's helper, for Runner.
func (x *run) helper(i int, s Step) error {
	clone := s.Helper.Clone()
	text := x.host.Text(clone)
	child, err := x.host.Spawn(clone, s.Helper.waits())
	if err != nil {
		return err
	}
	defer x.dismiss(i, s, child)
	x.emit(callEvent(i, s, clone, text, child.Clone))
	x.host.Slots[HelperPID] = uintptr(child.PID)
	defer delete(x.host.Slots, HelperPID)
	for _, c := range s.Helper.Calls {
		if err := x.do(i, s, c); err != nil {
			return err
		}
	}
	return nil
}

// Clone is the call that makes the helper.
func (h *Helper) Clone() kernel.Call {
	return kernel.Clone(kernel.CloneArgs{Flags: h.Flags | unix.CLONE_CLEAR_SIGHAND})
}

// waits are the helper's own calls: it ends with the last of them.
func (h *Helper) waits() []kernel.Call { return []kernel.Call{kernel.Await()} }

// dismiss lets the helper go, waits for its end, and tells what it did.
func (x *run) dismiss(i int, s Step, child *kernel.Child) {
	child.Release()
	for {
		if _, err := unix.Wait4(child.PID, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	if x.Observe != nil {
		texts := child.Texts()
		for j, c := range child.Calls() {
			if r := child.Rec.Result(j); r.State != kernel.Pending {
				e := callEvent(i, s, c, texts[j], r)
				e.PID = child.PID
				x.emit(e)
			}
		}
	}
	child.Close()
}
