// Package calm keeps the Go runtime's monitor thread from interrupting a program
// that is over in milliseconds. It is imported for that, and for [Deep].
//
// # The problem
//
// The monitor looks after goroutines that do not let go of their processor. In
// the first milliseconds of a program it wakes up every 20 µs, most of the time
// on the very processor that the program runs on: a timer interrupt and two
// context switches, for nothing. They took a tenth of the time of `minictr
// exec`.
//
// # What we do
//
// There is no way to ask Go for less, but the kernel can be told that the
// thread's timer may be late (PR_SET_TIMERSLACK(2const),
// proc_pid_timerslack_ns(5), since Linux 4.6): by more than a command takes,
// and by little for a person. The runtime starts the monitor as its first
// thread, so its ID is the one after the process's own; where another process
// was faster, or the kernel refuses, it is left alone.
//
// It is done in an init function, of a package that imports next to nothing: so
// it comes before those of nearly all others.
package calm

import "syscall"

// slack is by how much the monitor's timer may be late, in nanoseconds.
const slack = "5000000"

func init() {
	tid := decimal(syscall.Getpid() + 1)
	if syscall.Access("/proc/self/task/"+tid, 0) != nil { // not one of ours
		return
	}
	fd, err := syscall.Open("/proc/"+tid+"/timerslack_ns", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = syscall.Write(fd, []byte(slack))
	_ = syscall.Close(fd)
}

// decimal is strconv.Itoa, whose package would be one more to come before.
func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}
