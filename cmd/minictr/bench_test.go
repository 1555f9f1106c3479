package main

import (
	"io"
	"testing"
)

// What every command pays before it begins.
func BenchmarkNewRoot(b *testing.B) {
	for _, args := range [][]string{{"version"}, {"run"}, {"container", "run"}, {"--help"}} {
		b.Run(args[0], func(b *testing.B) {
			for b.Loop() {
				newRoot(&app{args: args, out: io.Discard, err: io.Discard})
			}
		})
	}
}
