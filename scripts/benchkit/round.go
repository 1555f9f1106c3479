package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// contender is one command that takes part in a race.
type contender struct {
	name   string
	argv   []string
	unique bool     // a new name for each container goes after argv
	env    []string // on top of ours
	world  *world
	after  func() error // what must be waited for after each turn, not timed
}

// patience is how long a command may take before it is killed: more than any that works.
const patience = time.Minute

// rounds runs all contenders in turn, warmup rounds first, and returns the times of those that always succeeded. One
// that fails is out; why, goes to complain. Before each turn, settle waits until the last one's traces have ended.
func rounds(all []*contender, warmup, counted int, settle func(), complain func(name string, why error)) []row {
	times := make([][]time.Duration, len(all))
	out := make([]bool, len(all))
	// The same order in every run of the bench, so that two runs differ by nothing but the machine.
	shuffle := rand.New(rand.NewPCG(1, 2))
	for round := range warmup + counted {
		for _, i := range shuffle.Perm(len(all)) {
			if out[i] {
				continue
			}
			settle()
			t, err := all[i].turn(round)
			if err != nil {
				complain(all[i].name, err)
				out[i] = true
				continue
			}
			if round >= warmup {
				times[i] = append(times[i], t)
			}
		}
	}
	var rows []row
	for i, c := range all {
		if !out[i] {
			rows = append(rows, row{name: c.name, times: summarize(times[i])})
		}
	}
	return rows
}

// turn runs the command once.
func (c *contender) turn(number int) (elapsed time.Duration, err error) {
	argv := c.argv
	if c.unique {
		argv = append(argv[:len(argv):len(argv)], fmt.Sprintf("bench-%d", number))
	}
	c.world.do(func() { elapsed, err = stopwatch(argv, append(os.Environ(), c.env...)) })
	if err == nil && c.after != nil {
		err = c.after()
	}
	return elapsed, err
}

// stopwatch measures a command from just before its process is made until it has been waited for. Its output goes to
// /dev/null; what it says on standard error is kept for the case that it fails.
func stopwatch(argv, env []string) (elapsed time.Duration, err error) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	words, err := os.CreateTemp("", "stderr.")
	if err != nil {
		return 0, err
	}
	defer words.Close()
	defer os.Remove(words.Name())
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{null.Fd(), null.Fd(), words.Fd()}}

	start := time.Now()
	pid, err := syscall.ForkExec(program, argv, attr)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", argv[0], err)
	}
	// The pid cannot be another process's: it is ours until it has been waited for, and then the timer is stopped.
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	elapsed = time.Since(start)
	timer.Stop()

	switch {
	case err != nil:
		return 0, err
	case status.Signaled():
		return 0, fmt.Errorf("%s: killed by %v after %v", strings.Join(argv, " "), status.Signal(), elapsed.Round(time.Millisecond))
	case status.ExitStatus() != 0:
		said, _ := io.ReadAll(io.NewSectionReader(words, 0, 1<<16))
		return 0, fmt.Errorf("%s: exit code %d: %s", strings.Join(argv, " "), status.ExitStatus(), lastLine(said))
	}
	return elapsed, nil
}

// lastLine is where programs put what went wrong.
func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}

// world is a thread with a view of the file system of its own, in which commands can be started. A nil world is the
// room as it is.
type world struct{ jobs chan func() }

// newWorld starts a thread, gives it a mount namespace and runs furnish there. It lives as long as the bench.
func newWorld(furnish func() error) (*world, error) {
	w := &world{make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: no other goroutine may end up in this namespace
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = furnish()
		}
		ready <- err
		for job := range w.jobs {
			job()
		}
	}()
	return w, <-ready
}

func (w *world) do(job func()) {
	if w == nil {
		job()
		return
	}
	done := make(chan struct{})
	w.jobs <- func() {
		job()
		close(done)
	}
	<-done
}

// output runs a command that prepares something, and returns what it prints.
func (w *world) output(env []string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	// Files, not pipes: a process that stays behind would hold a pipe open.
	words, err := os.CreateTemp("", "output.")
	if err != nil {
		return "", err
	}
	defer words.Close()
	defer os.Remove(words.Name())
	cmd.Stdout, cmd.Stderr = words, words
	w.do(func() { err = cmd.Start() })
	if err != nil {
		return "", err
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	said, _ := os.ReadFile(words.Name())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, lastLine(said))
	}
	return string(bytes.TrimSpace(said)), err
}

// legacyWorld is for crun where cgroup v2 is mounted at unified beside v1, and hugetlb is not among v1's controllers: it
// takes no such layout. There unified is gone and hugetlb is there.
func legacyWorld() (*world, error) {
	return newWorld(func() error {
		err := unix.Unmount("/sys/fs/cgroup/unified", unix.MNT_DETACH)
		if err != nil {
			return fmt.Errorf("unmount cgroup2: %w", err)
		}
		dir := "/sys/fs/cgroup/hugetlb"
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := unix.Mount("cgroup", dir, "cgroup", 0, "hugetlb"); err != nil {
			return fmt.Errorf("mount the hugetlb controller: %w", err)
		}
		return nil
	})
}
