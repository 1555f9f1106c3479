package step

import "minictr/pkg/kernel"

// cloneStep makes the process and gives it all calls of the Inside steps.
func (x *run) cloneStep(i int, s Step) error {
	if err := x.begin(s); err != nil {
		return err
	}
	lists := x.inside()
	x.announce(i, s)
	if before := x.broken(s); len(before) > 1 {
		_, err := x.host.Do(before[0])
		return err
	}
	child, err := x.host.Spawn(s.Calls[0], lists...)
	if err != nil {
		return err
	}
	x.child = child
	x.host.Slots[PID] = uintptr(child.PID)
	if x.Observe != nil {
		x.emit(callEvent(i, s, s.Calls[0], x.host.Text(s.Calls[0]), child.Clone))
	}
	return nil
}

// inside lists the child's calls, and notes where those of each step begin.
func (x *run) inside() (lists [][]kernel.Call) {
	x.first = make([]int, len(x.plan)+1)
	n := kernel.Preamble
	add := func(calls ...kernel.Call) {
		lists = append(lists, calls)
		n += len(calls)
	}
	for j, s := range x.plan {
		x.first[j] = n
		if s.Side != Inside {
			continue
		}
		if x.Pause != nil {
			add(kernel.Tell(), kernel.Await())
		}
		add(x.broken(s)...)
		if x.Fault.Kill && x.Fault.Step == s.Name {
			add(kernel.Tell(), kernel.Await())
		}
	}
	x.first[len(x.plan)] = n
	return lists
}
