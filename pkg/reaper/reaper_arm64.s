#include "textflag.h"

// The program of package reaper for arm64: see reaper_amd64.s, of which this is
// the translation.
//
//	R19  the program's arguments, &argv[2]   0(RSP)   all signals
//	R20  the environment                     8(RSP)   the signals blocked before
//	R21  the child's pid                     16(RSP)  a child's status, and a pid
//	R22  the exit code of a failed execve    32(RSP)  room for a path

// func code()
TEXT ·code(SB), NOSPLIT|NOFRAME, $0-0
	MOVD  0(RSP), R0
	ADD   $24, RSP, R19
	ADD   $16, RSP, R20
	ADD   R0<<3, R20, R20
	MOVD  $127, R22
	MOVD  RSP, R1
	SUB   $0x41000, R1, R1
	MOVD  R1, RSP            // not SUB from RSP: the linker counts that as stack of ours

	MOVD  $-1, R0
	MOVD  R0, 0(RSP)
	MOVD  $2, R0
	MOVD  RSP, R1
	ADD   $8, RSP, R2
	MOVD  $8, R3
	MOVD  $135, R8           // rt_sigprocmask
	SVC

	MOVD  $36, R0
	MOVD  $1, R1
	MOVD  $0, R2
	MOVD  $0, R3
	MOVD  $0, R4
	MOVD  $167, R8           // prctl
	SVC

	MOVD  $17, R0
	MOVD  $0, R1
	MOVD  $220, R8           // clone
	SVC
	CBZ   R0, child
	TBNZ  $63, R0, failed
	MOVD  R0, R21

wait:
	MOVD  RSP, R0
	MOVD  $0, R1
	MOVD  $0, R2
	MOVD  $8, R3
	MOVD  $137, R8           // rt_sigtimedwait
	SVC
	CMP   $0, R0
	BLE   wait
	CMP   $17, R0
	BEQ   reap

	MOVD  R0, R1
	MOVD  R21, R0
	MOVD  $129, R8           // kill
	SVC
	B     wait

reap:
	MOVD  $-1, R0
	ADD   $16, RSP, R1
	MOVD  $1, R2
	MOVD  $0, R3
	MOVD  $260, R8           // wait4
	SVC
	CMP   $0, R0
	BLE   wait
	CMP   R21, R0
	BNE   reap

	MOVWU 16(RSP), R0
	LSR   $8, R0, R22
	AND   $0xff, R22, R22
	AND   $0x7f, R0, R0
	CBZ   R0, exit
	ADD   $128, R0, R22

exit:
	MOVD  R22, R0
	MOVD  $94, R8            // exit_group
	SVC

child:
	MOVD  $0, R0
	MOVD  $0, R1
	MOVD  $154, R8           // setpgid
	SVC
	MOVD  $172, R8           // getpid
	SVC
	MOVW  R0, 16(RSP)
	MOVD  $0, R0
	MOVD  $0x5410, R1        // TIOCSPGRP
	ADD   $16, RSP, R2
	MOVD  $29, R8            // ioctl
	SVC

	MOVD  $2, R0
	ADD   $8, RSP, R1
	MOVD  $0, R2
	MOVD  $8, R3
	MOVD  $135, R8           // rt_sigprocmask
	SVC

	MOVD  0(R19), R9
	MOVD  R9, R10

slash:
	MOVBU (R10), R11
	ADD   $1, R10, R10
	CMP   $0x2f, R11
	BEQ   direct
	CBNZ  R11, slash

	MOVD  R20, R11
	MOVD  $0x48544150, R12   // "PATH"

variable:
	MOVD  0(R11), R10
	ADD   $8, R11, R11
	CBZ   R10, failed
	MOVWU 0(R10), R13
	CMP   R12, R13
	BNE   variable
	MOVBU 4(R10), R13
	CMP   $0x3d, R13         // "="
	BNE   variable
	ADD   $5, R10, R10

directory:
	ADD   $32, RSP, R11
	MOVD  R11, R12

copy:
	MOVBU (R10), R13
	CMP   $0x3a, R13         // ":"
	BEQ   name
	CBZ   R13, name
	MOVB  R13, (R11)
	ADD   $1, R10, R10
	ADD   $1, R11, R11
	B     copy

name:
	CMP   R11, R12
	BNE   separator
	MOVD  $0x2e, R14
	MOVB  R14, (R11)
	ADD   $1, R11, R11

separator:
	MOVD  $0x2f, R14
	MOVB  R14, (R11)
	ADD   $1, R11, R11
	MOVD  R9, R15

append:
	MOVBU (R15), R14
	MOVB  R14, (R11)
	ADD   $1, R15, R15
	ADD   $1, R11, R11
	CBNZ  R14, append

	MOVD  R12, R0
	MOVD  R19, R1
	MOVD  R20, R2
	MOVD  $221, R8           // execve
	SVC
	CMN   $2, R0             // ENOENT
	BEQ   next
	CMN   $20, R0            // ENOTDIR
	BEQ   next
	MOVD  $126, R22

next:
	ADD   $1, R10, R10
	CBNZ  R13, directory
	B     failed

direct:
	MOVD  R9, R0
	MOVD  R19, R1
	MOVD  R20, R2
	MOVD  $221, R8           // execve
	SVC
	CMN   $2, R0
	BEQ   failed
	CMN   $20, R0
	BEQ   failed
	MOVD  $126, R22

failed:
	MOVD  $2, R0
	MOVD  $0x4000b0, R1
	MOVD  $24, R2
	MOVD  $64, R8            // write
	SVC
	MOVD  0(R19), R1
	MOVD  $0, R2

length:
	MOVBU (R1)(R2), R3
	CBZ   R3, whole
	ADD   $1, R2, R2
	B     length

whole:
	MOVD  $2, R0
	MOVD  $64, R8
	SVC
	MOVD  $2, R0
	MOVD  $0x4000c8, R1
	MOVD  $1, R2
	MOVD  $64, R8
	SVC
	B     exit

	// The end of what is copied: see Program.
	UNDEF
	UNDEF
	UNDEF
	UNDEF

// func address() uintptr
TEXT ·address(SB), NOSPLIT, $0-8
	MOVD $·code(SB), R0
	MOVD R0, ret+0(FP)
	RET
