package oci

import (
	"strconv"
	"time"
)

// forkNoExec is PF_FORKNOEXEC (linux/sched.h): forked, and no program executed
// since.
const forkNoExec = 0x40

// awaitProgram returns when the container's process has become the program, or
// has ended: poststart hooks are promised that. The kernel tells nobody else of
// an execve, so this looks again and again; it takes less than a millisecond.
func (c *Container) awaitProgram() {
	pause := 50 * time.Microsecond
	for deadline := time.Now().Add(10 * time.Second); !executed(c.PID) && time.Now().Before(deadline); time.Sleep(pause) {
		pause = min(2*pause, 10*time.Millisecond)
	}
}

// executed reports whether process pid is its own program, by field 9 of
// proc_pid_stat(5), or gone.
func executed(pid int) bool {
	fields, err := statFields(pid)
	if err != nil {
		return true
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err != nil || flags&forkNoExec == 0
}
