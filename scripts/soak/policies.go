package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
)

// A restart policy is the shim's to follow. When it was the shim that was killed, the next command follows it; and what a
// policy counts, and what a user has said about it, is not forgotten whoever is killed when.

// scenes are what can happen to a container with a policy.
var scenes = []struct {
	name string
	play func(w *world) []string
}{
	{"always", func(w *world) []string { return w.revived("always") }},
	{"unless-stopped", func(w *world) []string { return w.revived("unless-stopped") }},
	{"no policy", (*world).staysDead},
	{"on-failure:3", (*world).countsOn},
	{"stop of unless-stopped", (*world).staysStopped},
	{"stop of always", (*world).untilTheNextBoot},
}

// policies plays scenes, in turns.
func policies(w *world, p plan) (rounds int, problems []string) {
	for round := range p.scenes {
		scene := scenes[round%len(scenes)]
		wrong := append(scene.play(w), w.truth()...)
		for _, text := range append(wrong, w.sweep()...) {
			problems = append(problems, fmt.Sprintf("round %d, %s: %s", round, scene.name, text))
		}
	}
	return p.scenes, problems
}

// begin starts the target with a policy.
func (w *world) begin(policy, script string) []string {
	r := w.do("run", "-d", "--restart", policy, "--name", target, "--network", []string{"none", "bridge"}[w.random.IntN(2)],
		"--pull", "never", image, "sh", "-c", script)
	if r.code != 0 {
		return []string{r.String()}
	}
	return nil
}

// strike kills the target's shim or its first process, after a while of up to limit. A process that changes its program
// just then is in no list of the kernel's for a moment, so it looks more than once. It returns when the victim is dead.
func (w *world) strike(limit time.Duration, victim string) (problems []string) {
	time.Sleep(time.Duration(w.random.Int64N(int64(limit))))
	for range 100 {
		pids := w.find(victim, nil)
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if len(pids) > 0 {
			return dead(pids)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// dead waits until the kernel is done with processes that were killed: with all of their threads, whose last one gives
// the locks back and takes the children along.
func dead(pids []int) []string {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		pids = slices.DeleteFunc(pids, func(pid int) bool {
			threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
			start, _ := record.StartTime(pid)
			return err != nil || len(threads) == 0 || len(threads) == 1 && isZombie(pid, start)
		})
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return []string{fmt.Sprintf("processes outlive SIGKILL: %v", pids)}
		}
	}
}

// is looks whether the target is in a state, and how often it was restarted; -1 is any number.
func (w *world) is(state string, restarts int) []string {
	all, err := w.ps() // the next command
	if err != nil {
		return []string{err.Error()}
	}
	if len(all) != 1 || all[0].state != state {
		return []string{fmt.Sprintf("%v, want one that is %s", all, state)}
	}
	r := w.do("inspect", "--format", "{{.RestartCount}}", target)
	n, err := strconv.Atoi(strings.TrimSpace(r.out))
	if err != nil || restarts >= 0 && n != restarts {
		return []string{fmt.Sprintf("restarted %q times, want %d", strings.TrimSpace(r.out), restarts)}
	}
	return nil
}

// becomes is is, after a while at most.
func (w *world) becomes(state string, restarts int) (problems []string) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if problems = w.is(state, restarts); len(problems) == 0 || time.Now().After(end) {
			return problems
		}
	}
}

// revived: the container runs again after the next command if the shim was killed, by the shim if only its process was.
func (w *world) revived(policy string) []string {
	if problems := w.begin(policy, polite); problems != nil {
		return problems
	}
	if w.random.IntN(2) == 0 {
		if problems := w.strike(50*time.Millisecond, "init"); problems != nil {
			return problems
		}
		return named("its process killed", w.becomes("running", 1))
	}
	if problems := w.strike(50*time.Millisecond, "shim"); problems != nil {
		return problems
	}
	return named("its shim killed", w.is("running", 1))
}

func named(name string, problems []string) []string {
	for i := range problems {
		problems[i] = name + ": " + problems[i]
	}
	return problems
}

func (w *world) staysDead() []string {
	if problems := w.begin("no", polite); problems != nil {
		return problems
	}
	if problems := w.strike(50*time.Millisecond, "shim"); problems != nil {
		return problems
	}
	return append(w.is("exited", 0), w.is("exited", 0)...)
}

// countsOn: a program that fails is started three times more, whoever does it.
func (w *world) countsOn() []string {
	if problems := w.begin("on-failure:3", "sleep 0.02; exit 7"); problems != nil {
		return problems
	}
	if problems := w.strike(time.Second, "shim"); problems != nil {
		return problems
	}
	if problems := w.becomes("exited", 3); problems != nil {
		return problems
	}
	return w.is("exited", 3)
}

// staysStopped: once a user's stop has succeeded, nothing starts the container, not even the next boot. A stop during
// which somebody was killed may have come to nothing; the next one succeeds.
func (w *world) staysStopped() []string {
	if problems := w.begin("unless-stopped", polite); problems != nil {
		return problems
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, out, err := w.command(ctx, "stop", "-t", "1", target)
	if err != nil {
		return []string{err.Error()}
	}
	err = cmd.Start()
	time.Sleep(time.Duration(w.random.IntN(30_000)) * time.Microsecond)
	if err == nil {
		for _, pid := range w.find([]string{"client", "shim", "init"}[w.random.IntN(3)], cmd.Process) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	if r := finish(cmd, out, err); ctx.Err() != nil {
		return []string{"hangs: " + r.String()}
	}
	return append(w.stop(), append(w.boot(), w.is("exited", -1)...)...)
}

// untilTheNextBoot: a container with policy always that a user has stopped stays so until the machine is started again.
func (w *world) untilTheNextBoot() []string {
	if problems := w.begin("always", polite); problems != nil {
		return problems
	}
	problems := append(w.stop(), w.is("exited", 0)...)
	return append(problems, append(w.boot(), w.is("running", -1)...)...)
}

func (w *world) stop() []string {
	r := w.do("stop", "-t", "1", target)
	if r.code != 0 {
		return []string{r.String()}
	}
	return w.is("exited", -1)
}

// boot is what the machine does when it was started.
func (w *world) boot() []string {
	if r := w.do("system", "start-enabled"); r.code != 0 {
		return []string{r.String()}
	}
	return nil
}
