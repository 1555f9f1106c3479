package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// polite is a program that ends when it is asked to.
const polite = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"

// crowd has many clients start containers at once, then stop them, then remove them.
func crowd(w *world, p plan) (rounds int, problems []string) {
	ids := make([]string, p.containers)
	say := newNotes()
	each(p, func(i int) {
		r := w.do("run", "-d", "--name", crowdName(i), "--network", []string{"none", "bridge"}[i%2], "--pull", "never", image, "sh", "-c", polite)
		if ids[i] = strings.TrimSpace(r.out); r.code != 0 || len(ids[i]) != 64 {
			say.note("%s", r)
		}
	})
	all, err := w.ps()
	if err != nil {
		say.note("%v", err)
	}
	running := make(map[string]int)
	for _, c := range all {
		if c.state != "running" {
			say.note("%s (%.12s) is %s", c.name, c.id, c.state)
		}
		running[c.id]++
	}
	for i, id := range ids {
		if running[id] != 1 {
			say.note("%s (%.12s) is listed %d times", crowdName(i), id, running[id])
		}
	}
	if len(all) != p.containers {
		say.note("%d containers are listed, %d were started", len(all), p.containers)
	}
	say.add(w.truth())
	each(p, func(i int) {
		if r := w.do("stop", crowdName(i)); r.code != 0 {
			say.note("%s", r)
		}
	})
	say.add(w.truth())
	each(p, func(i int) {
		if r := w.do("rm", crowdName(i)); r.code != 0 {
			say.note("%s", r)
		}
	})
	if all, err := w.ps(); err != nil || len(all) > 0 {
		say.note("after all were removed: %v, %v", all, err)
	}
	return p.containers, say.all()
}

func crowdName(i int) string { return fmt.Sprintf("c%d", i+100) }

// each does something for every container, with as many clients at once as the plan says.
func each(p plan, do func(i int)) {
	numbers := make(chan int)
	var clients sync.WaitGroup
	for range p.clients {
		clients.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := range p.containers {
		numbers <- i
	}
	close(numbers)
	clients.Wait()
}

// notes collects what is wrong, from any number of clients.
type notes struct {
	mu   sync.Mutex
	list []string
}

func newNotes() *notes { return new(notes) }

func (n *notes) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

func (n *notes) add(problems []string) {
	for _, p := range problems {
		n.note("%s", p)
	}
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}
