#include "textflag.h"

// A signal handler that ends the process with the exit code that a shell would
// report: exit_group(128 + signal). It needs no stack and never returns.

// func exitOnSignal(signal int32)
TEXT ·exitOnSignal(SB), NOSPLIT|NOFRAME, $0-0
	ADD   $128, R0
	MOVD  $94, R8
	SVC
	UNDEF

// func exitOnSignalAddress() uintptr
TEXT ·exitOnSignalAddress(SB), NOSPLIT, $0-8
	MOVD  $·exitOnSignal(SB), R0
	MOVD  R0, ret+0(FP)
	RET
