package seccomp

import "golang.org/x/sys/unix"

// program is BPF written back to front: BPF jumps forward only, so what is
// jumped to is always there already, and the distance is known when the jump
// is written. The instructions are reversed when all is done.
type program struct {
	ins     []unix.SockFilter
	returns []result
}

// label names an instruction by how far it is from the end of the program,
// which never changes; the last instruction is 1.
type label int

type result struct {
	action uint32
	at     label
}

// farthest is the reach of a conditional jump, whose distance has 8 bits.
const farthest = 255

// Offsets in struct seccomp_data. Both machines are little-endian.
const (
	offsetNr   = 0
	offsetArch = 4
	offsetArgs = 16

	lowHalf  = 0
	highHalf = 4
)

// here is the instruction written last, the first to run so far.
func (p *program) here() label { return label(len(p.ins)) }

func (p *program) emit(code uint16, k uint32) label {
	p.ins = append(p.ins, unix.SockFilter{Code: code, K: k})
	return p.here()
}

// distance is how many instructions a jump written now would pass over.
func (p *program) distance(to label) int { return len(p.ins) - int(to) }

// ret is a place that returns action: one that is still within reach, with
// room for what may come between, or a new one.
func (p *program) ret(action uint32) label {
	for i := range p.returns {
		r := &p.returns[i]
		if r.action != action {
			continue
		}
		if p.distance(r.at) > farthest/2 {
			r.at = p.emit(unix.BPF_RET|unix.BPF_K, action)
		}
		return r.at
	}
	at := p.emit(unix.BPF_RET|unix.BPF_K, action)
	p.returns = append(p.returns, result{action, at})
	return at
}

// jump compares the accumulator with k. Targets out of reach get a stepping
// stone: an unconditional jump, whose distance has 32 bits.
func (p *program) jump(op uint16, k uint32, yes, no label) label {
	for p.distance(yes) > farthest || p.distance(no) > farthest {
		if p.distance(yes) > farthest {
			yes = p.far(yes)
		}
		if p.distance(no) > farthest {
			no = p.far(no)
		}
	}
	p.ins = append(p.ins, unix.SockFilter{
		Code: unix.BPF_JMP | op | unix.BPF_K, K: k,
		Jt: uint8(p.distance(yes)), Jf: uint8(p.distance(no)),
	})
	return p.here()
}

func (p *program) far(to label) label {
	return p.emit(unix.BPF_JMP|unix.BPF_JA, uint32(p.distance(to)))
}

// load reads a word of seccomp_data; it must be written right after (that is,
// stand right before) what uses the word.
func (p *program) load(offset uint32) label {
	return p.emit(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

// compare asks about one half of an argument.
func (p *program) compare(op uint16, arg, half, k uint32, yes, no label) label {
	p.jump(op, k, yes, no)
	return p.load(offsetArgs + 8*arg + half)
}

// masked compares the bits of mask in one half of an argument.
func (p *program) masked(arg, half, mask, k uint32, yes, no label) label {
	if mask == 0 {
		return yes // no bit is asked for
	}
	p.jump(unix.BPF_JEQ, k, yes, no)
	p.emit(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, mask)
	return p.load(offsetArgs + 8*arg + half)
}

// tree writes a binary search over segments, which must begin with 0, and the
// load of the call's number in front of it.
func (p *program) tree(list []segment, byDefault uint32) label {
	at := p.search(list, byDefault)
	if len(list) == 1 {
		return at // whatever the number
	}
	return p.load(offsetNr)
}

// search returns the place that decides about a number within list. It is the
// last instruction written if list has more than one segment.
func (p *program) search(list []segment, byDefault uint32) label {
	if len(list) == 1 {
		return p.leaf(list[0].target, byDefault)
	}
	mid := len(list) / 2
	above := p.search(list[mid:], byDefault)
	below := p.search(list[:mid], byDefault)
	return p.jump(unix.BPF_JGE, list[mid].first, above, below)
}

// leaf writes what is to be done about one call. Rules are tried in order, so
// they are written from the last to the first.
func (p *program) leaf(t target, byDefault uint32) label {
	next := p.ret(t.action)
	for i := len(t.rules) - 1; i >= 0; i-- {
		r := t.rules[i]
		at := p.ret(r.action)
		for j := len(r.conditions) - 1; j >= 0; j-- {
			at = r.conditions[j].emit(p, at, next)
		}
		next = at
	}
	return next
}

// entry is where the program of one seccomp_data.arch begins.
type entry struct {
	audit uint32
	at    label
}

// dispatch writes the program's beginning: to each architecture its own tree,
// to all others their end.
func (p *program) dispatch(entries []entry) {
	next := p.ret(badArch)
	for i := len(entries) - 1; i >= 0; i-- {
		next = p.jump(unix.BPF_JEQ, entries[i].audit, entries[i].at, next)
	}
	p.load(offsetArch)
}
