package kernel

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// maxSlots bounds the values one table can hand from call to call.
const maxSlots = 1000

// op is a call compiled for the interpreter: words only, nothing to allocate,
// nothing to follow but pointers to memory that the table keeps alive.
type op struct {
	nr    uintptr
	args  [6]uintptr
	slots [6]int16 // where an argument is filled in from, -1: args holds it
	save  int16    // slot that receives the result, -1: none
	guard int16    // slot that decides, -1: always
	also  int16    // a second guard, -1: none
	fails [2]bool  // the guards want a failure
	kind  kind
	allow [3]syscall.Errno
	reply unsafe.Pointer // ack: the netlink reply
}

// table is a list of compiled calls and the memory they point into.
type table struct {
	ops    []op
	known  map[Slot]uintptr // results of calls the parent made
	index  map[Slot]int16   // slots of this table's own calls
	values []uintptr        // their values; failed marks those without one
	failed []bool
	keep   []unsafe.Pointer
	err    error
}

// compile turns calls into a table. Slots already known (results of calls the
// parent made) become immediate words now.
func compile(calls []Call, known map[Slot]uintptr) (*table, error) {
	t := &table{ops: make([]op, 0, len(calls)), known: known, keep: make([]unsafe.Pointer, 0, 2*len(calls))}
	for _, c := range calls {
		t.add(c)
		if t.err != nil {
			return nil, fmt.Errorf("prepare %s: %w", c, t.err)
		}
	}
	return t, nil
}

func (t *table) add(c Call) {
	o := op{nr: c.Nr, kind: c.kind, save: -1, guard: -1, also: -1, slots: [6]int16{-1, -1, -1, -1, -1, -1}}
	if len(c.Args) > len(o.args) {
		t.refuse("%d arguments, the kernel takes 6", len(c.Args))
		return
	}
	for i, a := range c.Args {
		w := a.word(t)
		o.args[i], o.slots[i] = w.word, w.slot
	}
	if len(c.Allow) > len(o.allow) {
		t.refuse("%d allowed errors, the table holds %d", len(c.Allow), len(o.allow))
	}
	copy(o.allow[:], c.Allow)
	if c.kind == ack {
		o.reply = t.keep[len(t.keep)-1] // the buffer is recvfrom's only pointer
	}
	if c.When.Slot != "" {
		o.guard, o.fails[0] = t.guard(c.When.Slot), c.When.Failed
	}
	if c.Also.Slot != "" {
		o.also, o.fails[1] = t.guard(c.Also.Slot), c.Also.Failed
	}
	if c.Save != "" {
		o.save = t.define(c.Save)
	}
	t.ops = append(t.ops, o)
}

// define gives slot s an index; until its call ran it counts as failed.
func (t *table) define(s Slot) int16 {
	if i, ok := t.index[s]; ok {
		return i
	}
	if t.index == nil {
		t.index = make(map[Slot]int16, cap(t.ops)/4)
	}
	if len(t.index) == maxSlots {
		t.refuse("more than %d saved results", maxSlots)
		return 0
	}
	i := int16(len(t.index))
	t.index[s] = i
	t.values, t.failed = append(t.values, 0), append(t.failed, true)
	return i
}

// slot finds the value of a slot that an earlier call saves or has saved.
func (t *table) slot(s Slot) operand {
	if i, ok := t.index[s]; ok {
		return operand{slot: i}
	}
	v, ok := t.known[s]
	if !ok {
		t.refuse("<%s> is used before any call saved it", s)
	}
	return immediate(v)
}

// parents finds a value that must be known when the table is compiled, because
// it goes into memory and not into a register.
func (t *table) parents(s Slot) uintptr {
	v, ok := t.known[s]
	if !ok {
		t.refuse("<%s> is not known before the calls are made", s)
	}
	return v
}

// guard finds the slot that decides whether a call is made.
func (t *table) guard(s Slot) int16 {
	_, own := t.index[s]
	i := t.define(s)
	if v, ok := t.known[s]; ok && !own {
		t.values[i], t.failed[i] = v, false
	}
	return i
}

func (t *table) pointer(p unsafe.Pointer) operand {
	t.keep = append(t.keep, p)
	return immediate(uintptr(p))
}

func (t *table) refuse(format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
}

// alive keeps everything the table points to until here.
func (t *table) alive() { runtime.KeepAlive(t) }
