package record

import (
	"sync/atomic"
	"testing"
)

func TestInParallelDoesEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 49, 5000} {
		done := make([]atomic.Int32, n)
		InParallel(n, func(i int) { done[i].Add(1) })
		for i := range done {
			if done[i].Load() != 1 {
				t.Fatalf("%d of %d was done %d times", i, n, done[i].Load())
			}
		}
	}
}
