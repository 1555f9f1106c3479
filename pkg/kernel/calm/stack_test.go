package calm

import "testing"

func TestDeepLeavesTheGoroutineAsItWas(t *testing.T) {
	done := make(chan int)
	go func() {
		Deep()
		done <- sum(100)
	}()
	if got := <-done; got != 5050 {
		t.Errorf("%d", got)
	}
}

func sum(n int) int {
	var frame [100]int
	frame[n%100] = n
	if n == 0 {
		return 0
	}
	return frame[n%100] + sum(n-1)
}
