package runtime

import "minictr/pkg/process"

// The three parts of keeping our program's file from the container (package
// process says why), where the kernel has the calls for it.

func (b *builder) lendExe() {
	if exe, ok := process.OwnExe(); ok {
		b.add(exe.Lend())
	}
}

func (b *builder) releaseExe() {
	if exe, ok := process.OwnExe(); ok {
		b.add(exe.Release())
	}
}

func (b *builder) guardExe() {
	if exe, ok := process.OwnExe(); ok {
		b.add(exe.Guard())
	}
}
