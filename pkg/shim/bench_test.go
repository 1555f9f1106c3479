package shim_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"minictr/pkg/shim/client"
)

// What a container prints goes through a pipe, the shim, a socket and the
// client; with a log, into a file besides.
func BenchmarkOutput(b *testing.B) {
	const size = 512 << 20
	zeros := fmt.Sprintf("dd if=/dev/zero bs=64k count=%d 2>/dev/null", size>>16)
	text := fmt.Sprintf("yes 'an ordinary line of sixty characters, as programs do log ...' | head -c %d >/text; for i in $(seq 32); do cat /text; done", size/32)
	for _, tc := range []struct{ name, driver, script string }{
		{"zeros", "none", zeros}, {"text", "none", text}, {"text-logged", "json-file", text},
	} {
		b.Run(tc.name, func(b *testing.B) {
			for b.Loop() {
				box := newBox(b, tc.script, func(b *box) { b.config.Log.Driver = tc.driver })
				o, _, _ := box.options()
				o.Stdout = new(counter)
				start := time.Now()
				if code := box.wait(box.start(o)); code != 0 || *o.Stdout.(*counter) != size {
					b.Fatal(code, *o.Stdout.(*counter))
				}
				b.ReportMetric(float64(size)/1e6/time.Since(start).Seconds(), "MB/s")
			}
		})
	}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

func BenchmarkInput(b *testing.B) {
	const size = 512 << 20
	for b.Loop() {
		box := newBox(b, "dd bs=64k of=/dev/null; echo done", withInput)
		o, out, _ := box.options()
		o.Stdin = io.LimitReader(endless{}, size)
		start := time.Now()
		if code := box.wait(box.start(o)); code != 0 || out.String() != "done\n" {
			b.Fatal(code, out)
		}
		b.ReportMetric(float64(size)/1e6/time.Since(start).Seconds(), "MB/s")
	}
}

// From the start of the shim to the end of a program that does nothing.
func BenchmarkTrue(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		box := newBox(b, "true", func(b *box) { b.spec.Process.Args = []string{"true"}; b.config.AutoRemove = true })
		o, _, _ := box.options()
		b.StartTimer()
		s, err := client.Start(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		box.wait(s)
	}
}
