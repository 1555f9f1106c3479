package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
)

// target is the container that is mistreated.
const target = "target"

// commands are what is going on when somebody is killed, and what makes the container that must be there before.
var commands = []struct {
	name   string
	before []string // nil: no container
	args   []string
}{
	{"create", nil, making("create")},
	{"run -d", nil, making("run", "-d")},
	{"run --rm", nil, making("run", "--rm")},
	{"start", making("create"), []string{"start", target}},
	{"exec", making("run", "-d"), []string{"exec", target, "sleep", "0.02"}},
	{"stop", making("run", "-d"), []string{"stop", "-t", "1", target}},
	{"kill", making("run", "-d"), []string{"kill", target}},
	{"rm", making("run", "-d"), []string{"rm", "-f", target}},
	{"volume rm", []string{"volume", "create", target}, []string{"volume", "rm", target}},
}

// making makes the target. Its name and its port are always the same, so they must be free again each time. In the
// foreground it ends by itself.
func making(words ...string) []string {
	args := append(words, "--name", target, "--pull", "never", "-p", "127.0.0.1:39871:80", image)
	if slices.Contains(words, "--rm") {
		return append(args, "sleep", "0.02")
	}
	return append(args, "sh", "-c", polite)
}

// kills kills, in each round, one of those who take part in a command, at a moment that nobody has chosen.
func kills(w *world, p plan) (rounds int, problems []string) {
	for round := range p.rounds {
		c := commands[w.random.IntN(len(commands))]
		victim := []string{"client", "shim", "init"}[w.random.IntN(3)]
		delay := time.Duration(w.random.IntN(40_000)) * time.Microsecond
		wrong := w.kill(c.before, c.args, victim, delay)
		if wrong = append(wrong, w.truth()...); round%4 == 0 {
			wrong = append(wrong, w.again()...)
		}
		for _, text := range append(wrong, w.sweep()...) {
			problems = append(problems, fmt.Sprintf("round %d, %s of %s killed after %v: %s", round, victim, c.name, delay, text))
		}
	}
	return p.rounds, problems
}

// kill runs a command and kills the victim meanwhile. How the command ends is its own affair, but it must end.
func (w *world) kill(before, args []string, victim string, delay time.Duration) []string {
	if before != nil {
		if r := w.do(before...); r.code != 0 {
			return []string{r.String()}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, out, err := w.command(ctx, args...)
	if err != nil {
		return []string{err.Error()}
	}
	err = cmd.Start()
	time.Sleep(delay)
	concerned := w.family()
	if err == nil {
		for _, pid := range w.find(victim, cmd.Process) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	r := finish(cmd, out, err)
	if ctx.Err() != nil {
		return []string{fmt.Sprintf("hangs: %s", r)}
	}
	return zombies(concerned)
}

// family are the shims and their containers' first processes, with the times when they were started.
func (w *world) family() map[int]uint64 {
	family := make(map[int]uint64)
	for _, shim := range w.shims() {
		for _, pid := range append(children(shim), shim) {
			family[pid], _ = record.StartTime(pid) // 0: it has ended meanwhile
		}
	}
	return family
}

// zombies are processes that have ended and that nobody has waited for. What has lost its parent is process 1's to wait
// for, which may take it a moment.
func zombies(family map[int]uint64) (problems []string) {
	for pid, start := range family {
		for end := time.Now().Add(5 * time.Second); isZombie(pid, start); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				problems = append(problems, fmt.Sprintf("process %d is a zombie", pid))
				break
			}
		}
	}
	return problems
}

func isZombie(pid int, start uint64) bool {
	now, err := record.StartTime(pid)
	if err != nil || start == 0 || now != start {
		return false
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return bytes.HasPrefix(rest, []byte("Z"))
}

// find finds the victims. There is one shim at most, so one that we find is the target's; what is not there yet, or any
// more, is not killed.
func (w *world) find(victim string, client *os.Process) (pids []int) {
	switch victim {
	case "client":
		return []int{client.Pid}
	case "shim":
		return w.shims()
	}
	for _, shim := range w.shims() {
		pids = append(pids, children(shim)...)
	}
	return pids
}

// again makes the container that was mistreated once more: name and port must be free.
func (w *world) again() []string {
	all, err := w.ps()
	if err != nil {
		return []string{err.Error()}
	}
	for _, c := range all {
		if r := w.do("rm", "-f", c.id); r.code != 0 {
			return []string{r.String()}
		}
	}
	if r := w.do(making("run", "-d")...); r.code != 0 {
		return []string{"once more: " + r.String()}
	}
	return w.truth()
}
