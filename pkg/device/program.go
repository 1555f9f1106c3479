package device

import "minictr/pkg/kernel"

// The registers of eBPF that the program uses.
const (
	result = iota // r0: what the program returns
	ctx           // r1: struct bpf_cgroup_dev_ctx *
	typ           // r2
	wanted        // r3: the access that no rule has decided yet
	major         // r4
	minor         // r5
)

// The instructions of the program (RFC 9669). Every one is 64 bits wide except
// for the loads, which fill the upper half with zeros.
const (
	opLoad32 = 0x61 // dst = *(u32 *)(src + off)
	opMovReg = 0xbf // dst = src
	opMov    = 0xb7 // dst = imm
	opAnd    = 0x57 // dst &= imm
	opShift  = 0x77 // dst >>= imm
	opJumpEq = 0x15 // if dst == imm, skip off instructions
	opJumpNe = 0x55 // if dst != imm, skip off instructions
	opExit   = 0x95 // return r0
)

func load32(dst, src uint8, off int16) kernel.BPFInsn {
	return kernel.BPFInsn{Code: opLoad32, Regs: dst | src<<4, Off: off}
}

func imm(code, dst uint8, v int32) kernel.BPFInsn {
	return kernel.BPFInsn{Code: code, Regs: dst, Imm: v}
}

// answer returns 1 (allowed) or 0 (EPERM).
func answer(allow bool) []kernel.BPFInsn {
	v := int32(0)
	if allow {
		v = 1
	}
	return []kernel.BPFInsn{imm(opMov, result, v), {Code: opExit}}
}

// program compiles rules, the last one first.
func program(rules []rule) []kernel.BPFInsn {
	prog := []kernel.BPFInsn{
		load32(typ, ctx, 0), // access_type: the access in the upper 16 bits, the type in the lower
		{Code: opMovReg, Regs: wanted | typ<<4},
		imm(opShift, wanted, 16),
		imm(opAnd, typ, 0xffff),
		load32(major, ctx, 4),
		load32(minor, ctx, 8),
	}
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		prog = append(prog, r.compile()...)
		if r.total() {
			return prog // what follows is never reached, and the kernel refuses such code
		}
	}
	return append(prog, answer(false)...)
}

// compile answers if the rule decides; else it falls through to the next one.
//
// A rule that allows only some of the access takes that off what is wanted:
// rules further up may allow or deny the rest.
func (r rule) compile() []kernel.BPFInsn {
	var body []kernel.BPFInsn
	switch {
	case r.access == all:
	case r.allow:
		body = append(body, imm(opAnd, wanted, int32(all&^r.access)), jump(opJumpNe, wanted, 0))
	default:
		body = append(body,
			kernel.BPFInsn{Code: opMovReg, Regs: result | wanted<<4},
			imm(opAnd, result, int32(r.access)), jump(opJumpEq, result, 0))
	}
	var code []kernel.BPFInsn
	if r.kind != both {
		code = append(code, jump(opJumpNe, typ, int32(r.kind)))
	}
	if r.major != wildcard {
		code = append(code, jump(opJumpNe, major, int32(r.major)))
	}
	if r.minor != wildcard {
		code = append(code, jump(opJumpNe, minor, int32(r.minor)))
	}
	code = append(append(code, body...), answer(r.allow)...)
	for i := range code {
		if code[i].Off == toNext {
			code[i].Off = int16(len(code) - i - 1)
		}
	}
	return code
}

// toNext stands for the distance to the next rule until that is known.
const toNext = -1

// jump goes to the next rule if the comparison holds.
func jump(code, dst uint8, v int32) kernel.BPFInsn {
	return kernel.BPFInsn{Code: code, Regs: dst, Off: toNext, Imm: v}
}
