package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// condition compares one argument of a call with a number. A filter sees the
// arguments as they stand in the registers: where one points to memory it sees
// the address, which tells nothing.
type condition struct {
	arg   uint32
	op    specs.LinuxSeccompOperator
	mask  uint64 // of OpMaskedEqual
	value uint64
	low   bool // compare the lower 32 bits only
}

func conditionOf(a specs.LinuxSeccompArg) (condition, error) {
	if a.Index > 5 {
		return condition{}, fmt.Errorf("argument %d: a call has six, from 0", a.Index)
	}
	c := condition{arg: uint32(a.Index), op: a.Op, value: a.Value}
	switch a.Op {
	case specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual:
	case specs.OpMaskedEqual:
		c.mask, c.value = a.Value, a.ValueTwo&a.Value
	default:
		return condition{}, fmt.Errorf("unknown comparison %q", a.Op)
	}
	return c, nil
}

// narrowed is the list for an ABI whose arguments have 32 bits: a profile that
// says -1 in 64 bits means -1 in 32, too.
func narrowed(list []condition, narrow bool) []condition {
	if !narrow || len(list) == 0 {
		return list
	}
	out := make([]condition, len(list))
	for i, c := range list {
		c.low, c.mask, c.value = true, uint64(uint32(c.mask)), uint64(uint32(c.value))
		out[i] = c
	}
	return out
}

// emit writes the comparison in front of what the program has so far: go to
// yes if it holds, to no if it does not. BPF knows 32-bit words only, so the
// upper half is asked first, and the lower if that left it open.
func (c condition) emit(p *program, yes, no label) label {
	op := c.op
	switch op { // BPF has no such jumps; it has their opposites
	case specs.OpNotEqual:
		op, yes, no = specs.OpEqualTo, no, yes
	case specs.OpLessThan:
		op, yes, no = specs.OpGreaterEqual, no, yes
	case specs.OpLessEqual:
		op, yes, no = specs.OpGreaterThan, no, yes
	}
	lo, hi := uint32(c.value), uint32(c.value>>32)
	var low label
	switch op {
	case specs.OpEqualTo:
		low = p.compare(unix.BPF_JEQ, c.arg, lowHalf, lo, yes, no)
	case specs.OpMaskedEqual:
		low = p.masked(c.arg, lowHalf, uint32(c.mask), lo, yes, no)
	case specs.OpGreaterEqual:
		low = p.compare(unix.BPF_JGE, c.arg, lowHalf, lo, yes, no)
	case specs.OpGreaterThan:
		low = p.compare(unix.BPF_JGT, c.arg, lowHalf, lo, yes, no)
	}
	switch {
	case c.low:
		return low
	case op == specs.OpEqualTo:
		return p.compare(unix.BPF_JEQ, c.arg, highHalf, hi, low, no)
	case op == specs.OpMaskedEqual:
		return p.masked(c.arg, highHalf, uint32(c.mask>>32), hi, low, no)
	}
	p.jump(unix.BPF_JEQ, hi, low, no) // not greater: equal, or less and that is a no
	return p.compare(unix.BPF_JGT, c.arg, highHalf, hi, yes, p.here())
}
