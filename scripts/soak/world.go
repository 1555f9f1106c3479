package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/rootfs"
)

// world is a machine's worth of minictr: its programs, and directories that nobody else uses.
type world struct {
	bin     string
	top     string
	outputs string // where commands' output goes: never a disk that is full
	dirs    record.Dirs
	random  *rand.Rand
}

// image is what the containers are made of: the built-in one, imported, so that no registry is asked.
const image = "soak"

func newWorld(bin string, random *rand.Rand) (*world, error) {
	top, err := os.MkdirTemp("", "minictr-soak")
	if err != nil {
		return nil, err
	}
	w := &world{bin: bin, top: top, outputs: top, dirs: record.Dirs{Root: filepath.Join(top, "root"), Run: filepath.Join(top, "run")}, random: random}
	if err := w.bringImage(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(top))
	}
	if r := w.do("run", "--rm", "--network", "none", "--pull", "never", image, "true"); r.code != 0 {
		return nil, errors.Join(fmt.Errorf("not even one container: %s", r), os.RemoveAll(top))
	}
	return w, nil
}

// bringImage imports the image.
func (w *world) bringImage() error {
	tarball, err := rootfs.Tarball()
	if err != nil {
		return err
	}
	path := filepath.Join(w.top, "image.tar.gz")
	if err := os.WriteFile(path, tarball, 0o600); err != nil {
		return err
	}
	if r := w.do("import", path, image); r.code != 0 {
		return errors.New(r.String())
	}
	return os.Remove(path)
}

// close removes all containers and looks for what is left of them.
func (w *world) close() []string {
	problems := w.sweep()
	for end := time.Now().Add(10 * time.Second); len(w.shims()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			problems = append(problems, fmt.Sprintf("shims that do not end: %v", w.shims()))
			break
		}
	}
	problems = append(problems, w.network()...)
	if err := os.RemoveAll(w.top); err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

// network waits for the network to go. If the shim that was to remove it is among the killed, a later command does.
func (w *world) network() []string {
	ep, err := network.Preview(w.dirs.Run, target, network.Options{})
	if err != nil {
		return []string{err.Error()}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Lstat("/sys/class/net/" + ep.Bridge); err != nil {
			return nil
		}
		if time.Now().After(end) {
			return []string{"left behind: the network " + ep.Bridge}
		}
		w.do("ps")
	}
}

// result is how a command ended.
type result struct {
	args []string
	out  string // both outputs
	code int    // -1: killed
}

func (r result) String() string {
	return fmt.Sprintf("minictr %s: exit code %d: %s", strings.Join(r.args, " "), r.code, strings.TrimSpace(r.out))
}

// patience is how long a command may take before it counts as hanging.
const patience = 60 * time.Second

// command is a minictr in this world, with its output in a file: what it leaves running cannot hold us up.
func (w *world) command(ctx context.Context, args ...string) (*exec.Cmd, *os.File, error) {
	out, err := os.CreateTemp(w.outputs, "out")
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "minictr"), args...)
	cmd.Env = append(os.Environ(), w.dirs.Env()...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out, nil
}

func (w *world) do(args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, out, err := w.command(ctx, args...)
	if err != nil {
		return result{args, err.Error(), -1}
	}
	return finish(cmd, out, cmd.Start())
}

// finish waits for a command that was started.
func finish(cmd *exec.Cmd, out *os.File, err error) result {
	r := result{args: cmd.Args[1:], code: -1}
	if err == nil {
		err = cmd.Wait()
		r.code = cmd.ProcessState.ExitCode()
	}
	b, _ := os.ReadFile(out.Name())
	_ = out.Close()
	_ = os.Remove(out.Name())
	r.out = string(b)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.out += err.Error()
	}
	return r
}

// listed is what ps tells of a container.
type listed struct{ id, state, name string }

func (w *world) ps() ([]listed, error) {
	r := w.do("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}} {{.Names}}")
	if r.code != 0 {
		return nil, errors.New(r.String())
	}
	var all []listed
	for line := range strings.Lines(r.out) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("ps says %q", line)
		}
		all = append(all, listed{f[0], f[1], f[2]})
	}
	return all, nil
}

// truth compares what ps tells with what /proc tells. A container that has just ended counts as running until its shim
// has noted how it ended.
func (w *world) truth() (problems []string) {
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if problems = w.lies(); len(problems) == 0 || time.Now().After(end) {
			return problems
		}
	}
}

func (w *world) lies() (problems []string) {
	all, err := w.ps()
	if err != nil {
		return []string{err.Error()}
	}
	for _, c := range all {
		state, err := record.ReadState(w.dirs.Container(c.id))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		lives := state.Pid != 0 && record.Alive(state.Pid, state.PidStart)
		if claims := c.state == "running" || c.state == "paused"; claims != lives {
			problems = append(problems, fmt.Sprintf("ps says that %.12s is %s; process %d lives: %v", c.id, c.state, state.Pid, lives))
		}
	}
	return problems
}

// sweep removes all containers, and looks whether anything of them is left.
func (w *world) sweep() (problems []string) {
	all, err := w.ps()
	if err != nil {
		return []string{err.Error()}
	}
	if len(all) > 0 {
		args := []string{"rm", "-f", "-v"}
		for _, c := range all {
			args = append(args, c.id)
		}
		if r := w.do(args...); r.code != 0 {
			problems = append(problems, r.String())
		}
	}
	if r := w.do("volume", "rm", "-f", target); r.code != 0 { // one that somebody was killed at
		problems = append(problems, r.String())
	}
	left := w.left(all)
	for end := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(end); left = w.left(all) {
		time.Sleep(200 * time.Millisecond)
		w.do("ps") // whatever somebody who was killed has left half done, the next command does
	}
	for _, path := range left {
		problems = append(problems, "left behind: "+path)
	}
	return problems
}

// left is what there is although no container is.
func (w *world) left(gone []listed) (found []string) {
	patterns := []string{
		w.dirs.Root + "/containers/*", w.dirs.Root + "/names/*", w.dirs.Root + "/trash/*", w.dirs.Root + "/volumes/*",
		w.dirs.Run + "/containers/*", w.dirs.Run + "/reserved/*", w.dirs.Run + "/networks/*/leases/*", w.dirs.Run + "/networks/*/ports/*",
	}
	for _, c := range gone {
		patterns = append(patterns, "/sys/fs/cgroup/*"+c.id, "/sys/fs/cgroup/*/*"+c.id, "/sys/fs/cgroup/*/*/*"+c.id)
	}
	for _, p := range patterns {
		f, _ := filepath.Glob(p) // the patterns are well formed
		found = append(found, f...)
	}
	return found
}

// shims lists the shims of this world, or of one container in it.
func (w *world) shims(id ...string) (pids []int) {
	of := filepath.Join(w.dirs.Root, "containers", filepath.Join(id...))
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if program, rest, _ := bytes.Cut(line, []byte{0}); err != nil || filepath.Base(string(program)) != "minictr-shim" || !strings.Contains(string(rest), of) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// children lists the processes that a process has started.
func children(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range lists {
		b, _ := os.ReadFile(path)
		for _, f := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(f); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
