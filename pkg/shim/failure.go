package shim

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// describe tells a client why its container did not start.
func describe(err error, plan *runtime.Config) *wire.Failure {
	f := &wire.Failure{Message: err.Error(), Code: codeEngine}
	var failed *step.Error
	if errors.As(err, &failed) {
		f.Step, f.Hint = failed.Step.Name, failed.Hint()
	}
	var others *OtherError
	if errors.As(err, &others) {
		f.Step, f.Code = "runtime."+others.Command, others.code()
		f.Errno = int(execErrno[f.Code])
	}
	var call *kernel.CallError
	if errors.As(err, &call) && !call.Killed {
		f.Call, f.Errno = call.Text, int(call.Errno)
		if call.Call.IsExec() {
			f.Code = execCode(call.Errno)
		}
	}
	if words := inWords(f, plan); words != "" {
		f.Message = words
	}
	return f
}

// inWords says what happens to everybody sometimes without the call: its text
// holds the whole environment, and the message goes into the record.
func inWords(f *wire.Failure, plan *runtime.Config) string {
	if plan == nil || plan.Spec == nil || plan.Spec.Process == nil || len(plan.Spec.Process.Args) == 0 {
		return ""
	}
	program, dir := plan.Spec.Process.Args[0], plan.Spec.Process.Cwd
	switch {
	case f.Step == process.EnterStep && f.Errno != 0:
		return fmt.Sprintf("enter the working directory %s in the container: %v", dir, syscall.Errno(f.Errno))
	case f.Code == codeNotFound:
		return fmt.Sprintf("there is no %q in the container", program)
	case f.Code == codeRefused:
		return fmt.Sprintf("cannot run %q in the container: %v", program, syscall.Errno(f.Errno))
	}
	return ""
}

// execErrno is what the kernel will have answered another runtime.
var execErrno = map[int]syscall.Errno{codeRefused: unix.EACCES, codeNotFound: unix.ENOENT}

func execCode(errno syscall.Errno) int {
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		return codeNotFound
	case unix.EACCES, unix.EPERM, unix.ENOEXEC, unix.EISDIR, unix.ELIBBAD:
		return codeRefused
	}
	return codeEngine
}
