package record

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// InParallel does something n times, on all processors if that is often. It
// returns when all is done.
func InParallel(n int, do func(i int)) {
	const few = 50 // not worth another thread
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)-1, n/few) {
		others.Go(work)
	}
	work()
	others.Wait()
}
