#include "textflag.h"

// All it does is to want a frame of that size, on any processor: the assembler puts
// in front of it what makes the stack grow. In Go such a frame would be cleared.

// func Deep()
TEXT ·Deep(SB), 0, $24000-0
	RET
