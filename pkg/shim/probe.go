package shim

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// maxOutput is how much of what a health check prints is kept, in bytes.
const maxOutput = 4096

// probe runs a health check once: one more process in the container, by the
// same plan as exec's. It is our child, so we know how it ends.
func (s *shim) probe(stop <-chan struct{}, check HealthCheck, pid int) (record.Probe, error) {
	result := record.Probe{Start: time.Now().UTC()}
	null, err := runtime.OpenNull() // a runtime of somebody else's may get it
	if err != nil {
		return result, err
	}
	defer func() { _ = unix.Close(null) }()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return result, err
	}
	from := ours(ends[0], "health check")
	defer from.Close()
	child, kill, err := s.startProbe(check, pid, null, ends[1])
	_ = unix.Close(ends[1])
	if err != nil {
		return result, err
	}
	text := make(chan string, 1)
	go func() { text <- firstBytes(from, maxOutput) }()
	code, late := reap(child, check.Timeout, stop, kill)
	// Whoever it has left behind may hold the pipe open for ever.
	_ = from.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	result.End, result.ExitCode, result.Output = time.Now().UTC(), code, <-text
	if late {
		result.ExitCode = -1
		message := fmt.Sprintf("Health check exceeded timeout (%s)", check.Timeout)
		if result.Output != "" {
			message += ": " + result.Output
		}
		result.Output = message
	}
	return result, nil
}

// startProbe starts the check's command with these descriptors. kill ends it.
func (s *shim) startProbe(check HealthCheck, pid, in, out int) (child int, kill func(), err error) {
	if s.other != nil {
		return s.other.exec(check.Args, in, out)
	}
	plan, err := s.probePlan(check, pid)
	if err != nil {
		return 0, nil, err
	}
	child, err = startOnOwnThread(step.Runner{Slots: map[kernel.Slot]int{
		process.Stdin: in, process.Stdout: out, process.Stderr: out,
	}}, plan)
	return child, func() { _ = unix.Kill(child, unix.SIGKILL) }, err
}

// probePlan is the plan of a process like the container's first, with other
// arguments. Our own protection against the OOM killer is not for it.
func (s *shim) probePlan(check HealthCheck, pid int) (step.Plan, error) {
	s.mu.Lock()
	config := s.runtime
	s.mu.Unlock()
	p := *config.Spec.Process
	p.Args, p.Terminal = check.Args, false
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = &s.score
	}
	return runtime.ExecPlan(config, pid, &p, runtime.IO{})
}

// startOnOwnThread runs a plan on a thread that does nothing else afterwards:
// joining a pid namespace marks the thread, whose every later child would be
// born there.
func startOnOwnThread(r step.Runner, plan step.Plan) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var p *step.Process
		if p, err = r.Run(plan); err == nil {
			pid = p.PID
		}
	}()
	<-done
	return pid, err
}

// firstBytes reads to the end, and keeps the beginning.
func firstBytes(f *os.File, limit int) string {
	var kept []byte
	b := make([]byte, 1024)
	for {
		n, err := f.Read(b)
		kept = append(kept, b[:min(n, limit-len(kept))]...)
		if err != nil {
			return string(kept)
		}
	}
}

// reap waits for the end of a child of ours. It is killed when its time is over
// or nobody wants to know any more.
func reap(pid int, timeout time.Duration, stop <-chan struct{}, kill func()) (code int, late bool) {
	ended := make(chan struct{})
	go func() { // ends with the child, whose number stays its own until it is reaped below
		defer close(ended)
		for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		late = true
		kill()
	case <-stop:
		kill()
	}
	<-ended
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return exitCode(status), late
		}
	}
}
