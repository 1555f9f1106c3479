package step

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Program is a program of the host that a Host step runs and waits for: a hook
// of an OCI configuration. It is started like a container's first process, as
// a list of calls that ends with execve, so its start is as visible.
type Program struct {
	Calls   []kernel.Call                                 // made by the new process; they find Stdin in slot StdinSlot
	Stdin   func(pid int) []byte                          // what it reads, made when the container's pid is known; nil: nothing
	Timeout time.Duration                                 // after which it is killed; 0: never
	Slots   map[kernel.Slot]uintptr                       // descriptors the calls use by name
	Observe func(kernel.Call, string, kernel.Result, int) // told of each call and who made it; nil: nobody asks
}

// StdinSlot is where a Program's calls find the file with its standard input.
const StdinSlot kernel.Slot = "hook-stdin"

// ErrTimeout says that a program did not end in time.
var ErrTimeout = errors.New("it did not end in time and was killed")

// program runs the step's program, for Runner.
func (x *run) program(i int, s Step) error {
	p := *s.Program
	p.Slots = x.host.Slots
	if x.Observe != nil {
		p.Observe = func(c kernel.Call, text string, r kernel.Result, pid int) {
			e := callEvent(i, s, c, text, r)
			e.PID = pid
			x.emit(e)
		}
	}
	return p.Run(int(x.host.Slots[PID]))
}

// Run runs the program for the container whose first process is pid. Any other
// end than exit status 0 is an error.
func (p Program) Run(pid int) error {
	host := kernel.NewHost()
	for s, v := range p.Slots {
		host.Slots[s] = v
	}
	var input []byte
	if p.Stdin != nil {
		input = p.Stdin(pid)
	}
	for _, c := range []kernel.Call{
		kernel.MemfdCreate("state").Into(StdinSlot), kernel.Write(kernel.FD(StdinSlot), input), kernel.Rewind(kernel.FD(StdinSlot)),
	} {
		if err := p.do(host, c); err != nil {
			return err
		}
	}
	err := p.spawn(host)
	return errors.Join(err, p.do(host, kernel.Close(kernel.FD(StdinSlot))))
}

func (p Program) do(host *kernel.Host, c kernel.Call) error {
	if p.Observe == nil {
		_, err := host.Do(c)
		return err
	}
	text := host.Text(c)
	r, err := host.Do(c)
	p.Observe(c, text, r, 0)
	return err
}

func (p Program) spawn(host *kernel.Host) error {
	clone := kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND})
	child, err := host.Spawn(clone, p.Calls)
	if err != nil {
		return err
	}
	defer child.Close()
	if p.Observe != nil {
		p.Observe(clone, host.Text(clone), child.Clone, 0)
	}
	for child.Hear() { // ends when execve closes the child's end
	}
	started := child.Executed()
	p.tell(child)
	ended := Wait(child.Final(), p.Timeout)
	if child.Final() != child.PID { // the process that only made the other one
		_ = Wait(child.PID, 0)
	}
	if started != nil {
		return started
	}
	return ended
}

// tell reports what the recorder knows of the program's start.
func (p Program) tell(child *kernel.Child) {
	if p.Observe == nil {
		return
	}
	texts := child.Texts()
	for i, c := range child.Calls() {
		if r := child.Rec.Result(i); r.State != kernel.Pending && r.State != kernel.Skipped {
			p.Observe(c, texts[i], r, child.PID)
		}
	}
}

// Wait reaps a child of ours, and kills it when its time is over (0: it may take
// for ever). Any other end than exit status 0 is an error.
func Wait(pid int, timeout time.Duration) error {
	ended := make(chan struct{})
	killed := make(chan bool, 1)
	go func() { // ends with the process
		if timeout <= 0 {
			killed <- false
			return
		}
		select {
		case <-ended:
			killed <- false
		case <-time.After(timeout):
			killed <- unix.Kill(pid, unix.SIGKILL) == nil
		}
	}()
	var status unix.WaitStatus
	var err error
	for {
		if _, err = unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	close(ended)
	switch late := <-killed; {
	case err != nil:
		return fmt.Errorf("wait for process %d: %w", pid, err)
	case late:
		return fmt.Errorf("%w after %s", ErrTimeout, timeout)
	case status.Signaled():
		return fmt.Errorf("killed by signal %d (%s)", status.Signal(), status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit code %d", status.ExitStatus())
	}
	return nil
}
