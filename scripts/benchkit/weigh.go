package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// weigh measures the memory of the processes that stay with an idle container. Every engine has exactly one container at
// this moment, so none shares its program's pages with a second shim; the engines' daemons are not counted.
func (b *bench) weigh() {
	progress("memory: wait until the shims have been idle for a while")
	time.Sleep(5 * time.Second)
	for _, e := range b.engines {
		var sum memory
		var shims []string
		for _, p := range processes() {
			// The kernel keeps fifteen characters of a name.
			if !strings.HasPrefix(p.comm, e.shim) {
				continue
			}
			m, err := memoryOf(p.pid)
			if err != nil {
				b.report.missing("memory of "+e.shim, err)
				continue
			}
			sum.pss, sum.rss = sum.pss+m.pss, sum.rss+m.rss
			shims = append(shims, p.comm)
		}
		switch len(shims) {
		case 1:
			b.report.shims = append(b.report.shims, shim{engine: e.name, process: shims[0], memory: sum})
		case 0:
			b.report.missing("memory of "+e.shim, errors.New("no such process while its container runs"))
		default:
			b.report.missing("memory of "+e.shim, fmt.Errorf("%d of them run, though only one container does", len(shims)))
		}
	}
}
