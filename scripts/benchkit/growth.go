package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// growth is what the process that stays with a container occupies more after some work than before, in KiB of PSS.
type growth struct {
	engine, work string
	before       int
	after        int
}

const (
	logLines = 10_000
	execs    = 1_000
)

// talker prints so many lines when it is told to, and then waits.
var talker = fmt.Sprintf(`until test -e /go; do sleep 0.1; done
i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i of a log"; done
touch /done; exec sleep 100000`, logLines)

// grow has the idle container's neighbour write a log, and enters it a thousand times. A thousand times are minutes with
// other engines, so without -long only minictr does it.
func (b *bench) grow() {
	for _, e := range b.engines {
		if e.name != "minictr" && !b.long {
			continue
		}
		progress("%s: a log of %d lines, and %d execs", e.name, logLines, execs)
		if err := b.growOf(e); err != nil {
			b.report.missing("growth of "+e.shim, err)
		}
	}
}

func (b *bench) growOf(e *engine) error {
	others := e.shims()
	if _, err := e.output(e.run("-d", "--name", "talker", image, "sh", "-c", talker)...); err != nil {
		return err
	}
	pid := 0
	for _, p := range e.shims() {
		if !slices.Contains(others, p) {
			pid = p
		}
	}
	before, err := settled(pid)
	if err != nil {
		return err
	}
	if _, err := e.output("exec", "talker", "touch", "/go"); err != nil {
		return err
	}
	if !eventually(time.Minute, func() bool { _, err := e.output("exec", "talker", "test", "-e", "/done"); return err == nil }) {
		return errors.New("its container does not get its log written")
	}
	logged, err := settled(pid)
	if err != nil {
		return err
	}
	for range execs {
		if _, err := e.output("exec", "talker", "true"); err != nil {
			return err
		}
	}
	entered, err := settled(pid)
	if err != nil {
		return err
	}
	b.report.growths = append(b.report.growths,
		growth{e.name, fmt.Sprintf("%d lines of log", logLines), before, logged},
		growth{e.name, fmt.Sprintf("%d execs", execs), logged, entered})
	_, err = e.output("rm", "-f", "talker")
	return err
}

// settled is the PSS of a process that has had time to give memory back.
func settled(pid int) (int, error) {
	time.Sleep(4 * time.Second)
	m, err := memoryOf(pid)
	return m.pss, err
}

// shims lists the processes that stay with the engine's containers.
func (e *engine) shims() (pids []int) {
	for _, p := range processes() {
		if strings.HasPrefix(p.comm, e.shim) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}
