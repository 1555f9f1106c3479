#include "textflag.h"

// The program of package reaper for x86-64. It is never called: Program copies
// its instructions into a file. The kernel starts it with the stack that
// execve(2) leaves: argc, argv[0…], 0, environment…, 0.
//
//	R12  the program's arguments, &argv[2]   0(SP)   all signals
//	R13  the environment                     8(SP)   the signals blocked before
//	R14  the child's pid                     16(SP)  a child's status, and a pid
//	R15  the exit code of a failed execve    32(SP)  room for a path

// func code()
TEXT ·code(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ  0(SP), AX
	LEAQ  24(SP), R12
	LEAQ  16(SP)(AX*8), R13
	MOVL  $127, R15
	SUBQ  $0x41000, SP       // two strings of 128 KiB, the longest that execve takes

	// rt_sigprocmask(SIG_SETMASK, all, old): from here on signals wait for us
	MOVQ  $-1, 0(SP)
	MOVL  $2, DI
	MOVQ  SP, SI
	LEAQ  8(SP), DX
	MOVL  $8, R10
	MOVL  $14, AX
	SYSCALL

	// prctl(PR_SET_CHILD_SUBREAPER, 1), for a container in the host's pid namespace
	MOVL  $36, DI
	MOVL  $1, SI
	XORL  DX, DX
	XORL  R10, R10
	XORL  R8, R8
	MOVL  $157, AX
	SYSCALL

	// clone(SIGCHLD)
	MOVL  $17, DI
	XORL  SI, SI
	MOVL  $56, AX
	SYSCALL
	TESTQ AX, AX
	JEQ   child
	JLT   failed
	MOVQ  AX, R14

wait:
	// rt_sigtimedwait(all, 0, 0): the next signal, whatever it is
	MOVQ  SP, DI
	XORL  SI, SI
	XORL  DX, DX
	MOVL  $8, R10
	MOVL  $128, AX
	SYSCALL
	TESTQ AX, AX
	JLE   wait
	CMPQ  AX, $17
	JEQ   reap

	// kill(child, signal)
	MOVQ  R14, DI
	MOVQ  AX, SI
	MOVL  $62, AX
	SYSCALL
	JMP   wait

reap:
	// wait4(-1, &status, WNOHANG, 0), until no other child has ended
	MOVQ  $-1, DI
	LEAQ  16(SP), SI
	MOVL  $1, DX
	XORL  R10, R10
	MOVL  $61, AX
	SYSCALL
	TESTQ AX, AX
	JLE   wait
	CMPQ  AX, R14
	JNE   reap

	// Ours has ended. Its code is ours, or 128 and the signal that killed it.
	MOVL  16(SP), AX
	MOVL  AX, R15
	SHRL  $8, R15
	ANDL  $0xff, R15
	ANDL  $0x7f, AX
	JEQ   exit
	LEAL  128(AX), R15

exit:
	MOVL  R15, DI
	MOVL  $231, AX           // exit_group: the kernel kills all others of the namespace
	SYSCALL

child:
	// setpgid(0, 0), and the terminal, if there is one, is the child's:
	// ioctl(0, TIOCSPGRP, &pid). Its keys are for the program, not for us.
	XORL  DI, DI
	XORL  SI, SI
	MOVL  $109, AX
	SYSCALL
	MOVL  $39, AX
	SYSCALL
	MOVL  AX, 16(SP)
	XORL  DI, DI
	MOVL  $0x5410, SI
	LEAQ  16(SP), DX
	MOVL  $16, AX
	SYSCALL

	// rt_sigprocmask(SIG_SETMASK, old, 0)
	MOVL  $2, DI
	LEAQ  8(SP), SI
	XORL  DX, DX
	MOVL  $8, R10
	MOVL  $14, AX
	SYSCALL

	// A name with a slash is a path.
	MOVQ  0(R12), R8
	MOVQ  R8, SI

slash:
	MOVBLZX (SI), AX
	INCQ  SI
	CMPL  AX, $0x2f
	JEQ   direct
	TESTL AX, AX
	JNE   slash

	// Others are looked for in PATH.
	MOVQ  R13, R9

variable:
	MOVQ  0(R9), SI
	ADDQ  $8, R9
	TESTQ SI, SI
	JEQ   failed
	CMPL  0(SI), $0x48544150 // "PATH"
	JNE   variable
	CMPB  4(SI), $0x3d       // "="
	JNE   variable
	ADDQ  $5, SI

directory:
	LEAQ  32(SP), DI

copy:
	MOVBLZX (SI), R9
	CMPL  R9, $0x3a          // ":"
	JEQ   name
	TESTL R9, R9
	JEQ   name
	MOVB  R9, (DI)
	INCQ  SI
	INCQ  DI
	JMP   copy

name:
	LEAQ  32(SP), AX
	CMPQ  AX, DI
	JNE   separator
	MOVB  $0x2e, (DI)        // an empty one is the working directory
	INCQ  DI

separator:
	MOVB  $0x2f, (DI)
	INCQ  DI
	MOVQ  R8, DX

append:
	MOVBLZX (DX), AX
	MOVB  AX, (DI)
	INCQ  DX
	INCQ  DI
	TESTL AX, AX
	JNE   append

	// execve(path, &argv[2], environment)
	MOVQ  SI, BX
	LEAQ  32(SP), DI
	MOVQ  R12, SI
	MOVQ  R13, DX
	MOVL  $59, AX
	SYSCALL
	CMPQ  AX, $-2            // ENOENT
	JEQ   next
	CMPQ  AX, $-20           // ENOTDIR
	JEQ   next
	MOVL  $126, R15

next:
	LEAQ  1(BX), SI
	TESTL R9, R9
	JNE   directory
	JMP   failed

direct:
	MOVQ  R8, DI
	MOVQ  R12, SI
	MOVQ  R13, DX
	MOVL  $59, AX
	SYSCALL
	CMPQ  AX, $-2
	JEQ   failed
	CMPQ  AX, $-20
	JEQ   failed
	MOVL  $126, R15

failed:
	// write(2, message), write(2, name), write(2, "\n")
	MOVL  $2, DI
	MOVL  $0x4000b0, SI
	MOVL  $24, DX
	MOVL  $1, AX
	SYSCALL
	MOVQ  0(R12), SI
	XORL  DX, DX

length:
	CMPB  (SI)(DX*1), $0
	JEQ   whole
	INCQ  DX
	JMP   length

whole:
	MOVL  $1, AX
	SYSCALL
	MOVL  $0x4000c8, SI
	MOVL  $1, DX
	MOVL  $1, AX
	SYSCALL
	JMP   exit

	// The end of what is copied: see Program.
	UNDEF
	UNDEF
	UNDEF
	UNDEF

// func address() uintptr
TEXT ·address(SB), NOSPLIT, $0-8
	LEAQ ·code(SB), AX
	MOVQ AX, ret+0(FP)
	RET
