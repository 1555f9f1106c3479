// This file lets the Go compiler accept the functions of fork.go that have no
// body here because the runtime provides them.
