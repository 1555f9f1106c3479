package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// checks are what every engine is asked to do, in this order.
var checks = []struct {
	what string
	do   func(*engine) error
}{
	{"run", checkRun},
	{"exit codes", checkExitCodes},
	{"run with a terminal", checkRunTerminal},
	{"exec", checkExec},
	{"exec with a terminal", checkExecTerminal},
	{"logs", checkLogs},
	{"pause", checkPause},
	{"stop", checkStop},
	{"kill", checkKill},
	{"memory limit", checkMemory},
	{"pids limit", checkPids},
	{"rm", checkRemove},
	{"nothing left", checkNothingLeft},
}

// notTried is the reason for leaving something out.
type notTried string

func (n notTried) Error() string { return string(n) }

// try makes an engine ready and asks it for everything.
func (e *engine) try() (results []result) {
	r := result{Engine: e.name}
	if err := e.installed(); err != nil {
		r.Skipped = err.Error()
		return []result{r}
	}
	if out, err := e.must(e.version...); err == nil {
		r.Version = versionIn(out)
	}
	fmt.Fprintf(os.Stderr, "engines: %s %s\n", r.Engine, r.Version)
	if err := e.start(); err != nil {
		r.Failure = oneLine(err)
		return []result{r}
	}
	for _, c := range checks {
		r := r
		r.What = c.what
		began := time.Now()
		err := c.do(e)
		var left notTried
		switch {
		case errors.As(err, &left):
			r.Skipped = string(left)
		case err != nil:
			r.Failure = oneLine(err)
		}
		fmt.Fprintf(os.Stderr, "engines: %s %s: %s (%.1f s) %s\n", r.Engine, r.What, r.cell(), time.Since(began).Seconds(), r.Failure)
		results = append(results, r)
	}
	return results
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// versionIn finds the first word that begins like a version.
func versionIn(text string) string {
	for _, w := range strings.Fields(text) {
		if w[0] >= '0' && w[0] <= '9' && strings.Contains(w, ".") {
			version, _, _ := strings.Cut(w, "~")
			return strings.TrimRight(version, ",")
		}
	}
	return "?"
}

// expect runs a command and compares.
func (e *engine) expect(want string, code int, argv []string) error {
	out, got, err := e.command(argv)
	switch {
	case err != nil:
		return err
	case got != code:
		return fmt.Errorf("exit code %d, want %d: %s", got, code, lastLine(out))
	case !strings.Contains(out, want):
		return fmt.Errorf("printed %q, want %q", out, want)
	}
	return nil
}

// with runs a container in the background and removes it when do is done.
func (e *engine) with(o options, script string, do func() error) (err error) {
	o.detach = true
	if _, err := e.must(e.run(o, "sh", "-c", script)...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.rm(o.id)) }()
	return do()
}

// sleeper ends when it is asked to, with a code that is nobody else's.
const sleeper = `trap "exit 3" TERM; echo up; while :; do sleep 0.1; done`

// up waits until sleeper has set its trap.
func (e *engine) up(id string) error {
	return eventually(func() (bool, error) {
		out, err := e.logs(id)
		return strings.Contains(out, "up"), err
	})
}

func checkRun(e *engine) error {
	return e.expect("hello 42", 0, e.run(options{id: "try-run"}, "sh", "-c", "echo hello $((6*7))"))
}

func checkExitCodes(e *engine) error {
	if err := e.expect("", 7, e.run(options{id: "try-code"}, "sh", "-c", "exit 7")); err != nil {
		return err
	}
	// A program that is missing is a failure of create, and the engine's to report.
	out, code, err := e.command(e.run(options{id: "try-missing"}, "/no/such/program"))
	switch {
	case err != nil:
		return err
	case e.name == "containerd" && code != 1, e.name != "containerd" && code != 127:
		return fmt.Errorf("a missing program: exit code %d: %s", code, lastLine(out))
	case !strings.Contains(out, "no such file"):
		return fmt.Errorf("a missing program: %s", lastLine(out))
	}
	if found, err := e.has("try-missing"); found && err == nil {
		return e.rm("try-missing")
	}
	return nil
}

func checkRunTerminal(e *engine) error {
	return e.terminal(e.run(options{id: "try-tty", tty: true}, "sh"))
}

func checkExec(e *engine) error {
	return e.with(options{id: "try-exec"}, sleeper, func() error {
		if err := e.expect("in exec", 5, e.exec("try-exec", false, "sh", "-c", "echo in exec; exit 5")); err != nil {
			return err
		}
		if err := e.usesRuntime(); err != nil {
			return err
		}
		// It sees the processes of the container, and no others.
		return e.expect("while :", 0, e.exec("try-exec", false, "cat", "/proc/1/cmdline"))
	})
}

// record is a file that minictr-oci, and no other runtime, keeps of each container.
const record = "journal"

// usesRuntime makes sure that the engine did not take a runtime of its own choice: somewhere below /run, where engines
// have their runtimes keep records, is one of ours.
func (e *engine) usesRuntime() error {
	if filepath.Base(e.runtime) != "minictr-oci" {
		return nil
	}
	found := errors.New("found")
	err := filepath.WalkDir("/run", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == record {
			err = found
		}
		return err
	})
	if errors.Is(err, found) {
		return nil
	}
	return errors.Join(fmt.Errorf("a container runs, and %s knows nothing of it", e.runtime), err)
}

func checkExecTerminal(e *engine) error {
	return e.with(options{id: "try-exectty"}, sleeper, func() error { return e.terminal(e.exec("try-exectty", true, "sh")) })
}

func checkLogs(e *engine) error {
	return e.with(options{id: "try-logs"}, "echo to stdout; echo to stderr >&2; sleep 600", func() error {
		return eventually(func() (bool, error) {
			out, err := e.logs("try-logs")
			return strings.Contains(out, "to stdout") && strings.Contains(out, "to stderr"), err
		})
	})
}

// checkPause: a container that counts does not while it is paused.
func checkPause(e *engine) error {
	return e.with(options{id: "try-pause"}, "while :; do echo tick; sleep 0.05; done", func() error {
		if _, err := e.must(e.pause("try-pause")...); err != nil {
			return err
		}
		before, err := e.logs("try-pause")
		if err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond) // long enough for ten lines; too long does no harm
		after, err := e.logs("try-pause")
		if err != nil {
			return err
		}
		if len(after) > len(before)+len("tick\n") { // one may have been under way
			return fmt.Errorf("it wrote %d bytes while it was paused", len(after)-len(before))
		}
		if _, err := e.must(e.resume("try-pause")...); err != nil {
			return err
		}
		return eventually(func() (bool, error) {
			again, err := e.logs("try-pause")
			return len(again) > len(after)+2*len("tick\n"), err
		})
	})
}

func checkStop(e *engine) error {
	return e.with(options{id: "try-stop"}, sleeper, func() error {
		if err := e.up("try-stop"); err != nil {
			return err
		}
		if err := e.stop("try-stop"); err != nil {
			return err
		}
		return e.exits("try-stop", 3)
	})
}

func checkKill(e *engine) error {
	return e.with(options{id: "try-kill"}, sleeper, func() error {
		if _, err := e.must(e.kill("try-kill")...); err != nil {
			return err
		}
		return e.exits("try-kill", 137)
	})
}

func (e *engine) exits(id string, want int) error {
	code, err := e.wait(id)
	if err == nil && code != want {
		err = fmt.Errorf("exit code %d, want %d", code, want)
	}
	return err
}

// checkMemory fills a file in memory beyond the limit: the kernel kills whoever writes.
func checkMemory(e *engine) error {
	const script = "dd if=/dev/zero of=/dev/shm/f bs=1M count=60 2>/dev/null; echo dd ended with $?"
	return e.expect("dd ended with 137", 0, e.run(options{id: "try-memory", memory: "33554432"}, "sh", "-c", script))
}

// checkPids starts more processes than may be; busybox's shell says what fork answered.
func checkPids(e *engine) error {
	if e.noPids != "" {
		return notTried(e.noPids)
	}
	const script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 5 & done; wait"
	out, code, err := e.command(e.run(options{id: "try-pids", pids: "8"}, "sh", "-c", script))
	if err == nil && !strings.Contains(out, "can't fork") {
		err = fmt.Errorf("16 processes where 8 may be: exit code %d: %s", code, lastLine(out))
	}
	return err
}

// checkRemove removes a container that runs.
func checkRemove(e *engine) error {
	if _, err := e.must(e.run(options{id: "try-rm", detach: true}, "sleep", "600")...); err != nil {
		return err
	}
	if there, err := e.has("try-rm"); err != nil || !there {
		return fmt.Errorf("the engine does not list its container (%v)", err)
	}
	if err := e.rm("try-rm"); err != nil {
		return err
	}
	if there, err := e.has("try-rm"); err != nil || there {
		return fmt.Errorf("the engine still lists it (%v)", err)
	}
	return nil
}

// checkNothingLeft looks for what the runtime, not the engine, would have left: its records, which lie where the engine
// told it to keep them, and the cgroups of containers.
func checkNothingLeft(e *engine) error {
	var left []string
	look := func(top, name string) error {
		return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && (d.Name() == name || name == "" && d.IsDir() && isOurs(d.Name())) {
				left = append(left, path)
			}
			return err
		})
	}
	if err := eventually(func() (bool, error) { // the shims of containerd may still be on their way out
		left = nil
		err := errors.Join(look("/run", record), look("/sys/fs/cgroup", ""))
		return len(left) == 0, err
	}); err != nil && len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	} else if err != nil {
		return err
	}
	return nil
}

// isOurs recognizes the cgroup of a container of these checks: by its name, as with ctr, or by docker's long id.
func isOurs(name string) bool {
	name = strings.TrimPrefix(name, "libpod-")
	if len(name) == 64 && strings.Trim(name, "0123456789abcdef") == "" {
		return true
	}
	return strings.HasPrefix(name, "try-")
}
