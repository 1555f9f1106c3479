package kernel

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// monitorSlack is by how much the monitor's timer may be late, in nanoseconds:
// longer than a command takes, and short for a person.
const monitorSlack = "5000000"

// CalmMonitor keeps the Go runtime's monitor thread from interrupting a program
// that is over in milliseconds. That thread looks after goroutines that do not
// let go; in the first milliseconds of a program it wakes up every 20 µs, most
// of the time on the processor that the program runs on, for whose work that is
// a tenth. There is no way to ask Go for less, but the kernel can be told that
// the thread's timer may be late (PR_SET_TIMERSLACK(2const), proc_pid_timerslack_ns(5),
// since Linux 4.6).
//
// The runtime starts it as its first thread, so its ID is the one after the
// process's own; where another process was faster it is left alone.
func CalmMonitor() {
	monitor := strconv.Itoa(os.Getpid() + 1)
	if unix.Access("/proc/self/task/"+monitor, unix.F_OK) != nil {
		return
	}
	fd, err := unix.Open("/proc/"+monitor+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte(monitorSlack))
	_ = unix.Close(fd)
}
