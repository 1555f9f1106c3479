package network

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// BenchmarkNetwork is what the network adds to a container's start while
// another one runs, and to its end.
func BenchmarkNetwork(b *testing.B) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		b.Setenv("TMPDIR", "/dev/shm") // as /run is: memory
	}
	for name, ports := range map[string][]PortMapping{"no ports": nil, "one port": must(ParsePort("8080:80"))} {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread() // for good: the thread ends with the benchmark
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				b.Skip("needs root to make network namespaces: ", err)
			}
			dir := b.TempDir()
			took := map[string]time.Duration{}
			note := func(name string, start time.Time) { took[name] += time.Since(start) }
			if _, err := Connect(dir, "another", Options{}); err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				start := time.Now()
				ep, err := Connect(dir, fmt.Sprint("c", i), Options{Ports: ports})
				if note("connect", start); err != nil {
					b.Fatal(err)
				}
				plan := append(append(append(step.Plan(Prepare(ep)), cloneStep()), Attach(ep)...), Configure(ep), step.Step{
					Name: "test.exec", Side: step.Inside, Calls: []kernel.Call{kernel.Execve("/bin/true", []string{"true"}, nil)},
				})
				r := step.Runner{Observe: func(e step.Event) {
					if e.Name != "read" { // waiting for the other side
						took[e.Step] += time.Duration(e.Nanos)
					}
				}}
				p, err := r.Run(plan)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := unix.Wait4(p.PID, nil, 0, nil); err != nil {
					b.Fatal(err)
				}
				CloseReserved(p.Slots)
				start = time.Now()
				if err := step.Undo(plan, []string{"network.plug", "network.publish"}, nil); err != nil {
					b.Fatal(err)
				}
				note("undo", start)
				start = time.Now()
				if err := Disconnect(dir, ep); err != nil {
					b.Fatal(err)
				}
				note("disconnect", start)
			}
			for name, d := range took {
				if name != "" && name != "test.exec" {
					b.ReportMetric(float64(d.Microseconds())/float64(b.N), name+"-µs")
				}
			}
		})
	}
}
