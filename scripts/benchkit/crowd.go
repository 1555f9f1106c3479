package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// What many containers cost is measured once for each engine, one engine after the other: a hundred of one engine's are no
// quiet room for the next one's turn.
const (
	crowdSize    = 100
	crowdClients = 10   // that start containers at once
	deafness     = "2"  // seconds that the crowd's containers have to end: their programs do not hear of it
	manyRecords  = 1000 // containers that ps lists in the long form
)

// crowd starts a hundred containers from parallel clients, and stops them with one command.
func (b *bench) crowd() {
	start := table{task: "start", title: fmt.Sprintf("start %d containers, %d clients at once (run -d)", crowdSize, crowdClients), once: true}
	stop := table{task: "stop", title: fmt.Sprintf("stop them all (one stop -t %s; each takes %s s)", deafness, deafness), once: true}
	for _, e := range b.engines {
		progress("%s: start and stop %d containers", e.name, crowdSize)
		quiet()
		started, stopped, err := e.crowd()
		if err != nil {
			b.report.missing(e.name+" with a crowd", err)
			continue
		}
		start.rows = append(start.rows, row{name: e.name, times: summarize([]time.Duration{started})})
		stop.rows = append(stop.rows, row{name: e.name, times: summarize([]time.Duration{stopped})})
	}
	b.report.tables = append(b.report.tables, start, stop)
}

func (e *engine) crowd() (started, stopped time.Duration, err error) {
	ids := make([]string, crowdSize)
	errs := make([]error, crowdSize)
	numbers := make(chan int)
	var clients sync.WaitGroup
	began := time.Now()
	for range crowdClients {
		clients.Go(func() {
			for i := range numbers {
				ids[i], errs[i] = e.output(e.run("-d", image, "sleep", "100000")...)
			}
		})
	}
	for i := range ids {
		numbers <- i
	}
	close(numbers)
	clients.Wait()
	started = time.Since(began)

	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	quiet()
	began = time.Now()
	_, err = e.output(slices.Concat([]string{"stop", "-t", deafness}, ids)...)
	stopped = time.Since(began)
	_, gone := e.output(append([]string{"rm", "-f"}, ids...)...)
	return started, stopped, errors.Join(append(errs, err, gone)...)
}

// manyPs has only minictr list a thousand containers: for the others, making so many takes minutes, and they have no goal.
func (b *bench) manyPs() (all []*contender) {
	for _, e := range b.engines {
		if e.name != "minictr" && !b.long {
			continue
		}
		have, err := e.output("ps", "-aq")
		if err == nil {
			err = e.create(manyRecords - len(strings.Fields(have)))
		}
		if err != nil {
			b.report.missing(e.name+" ps", err)
			continue
		}
		all = append(all, e.contender("ps", "-a"))
	}
	return all
}
