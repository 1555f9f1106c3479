package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/step"
)

// logger writes messages the way engines read them from runc: one line each,
// as JSON or as key=value, to the file they named, or to standard error.
type logger struct {
	file  io.Writer // nil: standard error
	json  bool
	debug bool
}

func (l *logger) open(path, format string, debug bool) error {
	l.debug = debug
	switch format {
	case "text":
	case "json":
		l.json = true
	default:
		return fmt.Errorf("invalid log-format: %s", format)
	}
	if path == "" || path == "/dev/stderr" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_SYNC, 0o644)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	l.file = f
	return nil
}

// fatal tells an error to the log, and on standard error.
func (l *logger) fatal(err error) {
	msg := oneLine(err)
	l.write("error", msg)
	if l.file != nil {
		fmt.Fprintln(os.Stderr, msg)
	}
}

func (l *logger) warn(err error) { l.write("warning", oneLine(err)) }

// observer tells every kernel call of a plan, with --debug.
func (l *logger) observer() func(step.Event) {
	if !l.debug {
		return nil
	}
	return func(e step.Event) {
		switch e.Kind {
		case step.CallEvent:
			l.write("debug", fmt.Sprintf("%s: %s = %s <%d us>", e.Step, e.Call, e.Result, e.Nanos/1000))
			if e.Name == "seccomp" {
				l.write("debug", fmt.Sprintf("seccomp filter flags: %d", filterFlags(e.Call)))
			}
		case step.StepEvent, step.UndoEvent:
			l.write("debug", fmt.Sprintf("%s %s", e.Kind, e.Step))
		}
	}
}

// filterFlags are the flags of a seccomp call as one number, which seccomp(2)'s
// header files and other runtimes' logs have.
func filterFlags(call string) (flags int) {
	for name, bit := range map[string]int{
		"TSYNC": unix.SECCOMP_FILTER_FLAG_TSYNC, "LOG": unix.SECCOMP_FILTER_FLAG_LOG, "SPEC_ALLOW": unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		"NEW_LISTENER": unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, "WAIT_KILLABLE_RECV": unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
	} {
		if strings.Contains(call, "SECCOMP_FILTER_FLAG_"+name) {
			flags |= bit
		}
	}
	return flags
}

func (l *logger) write(level, msg string) {
	w := l.file
	if w == nil {
		w = os.Stderr
	}
	now := time.Now().UTC().Format(time.RFC3339) // UTC: a file less to read
	if !l.json {
		fmt.Fprintf(w, "time=%q level=%s msg=%q\n", now, level, msg)
		return
	}
	b, _ := json.Marshal(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, msg, now}) // strings only: it cannot fail
	_, _ = w.Write(append(b, '\n')) // nobody is left to tell
}

// oneLine is the error and, if the kernel gave it, what it usually means.
func oneLine(err error) string {
	msg := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	var broken *step.Error
	if errors.As(err, &broken) && broken.Hint() != "" && !strings.HasPrefix(msg, "exec: ") {
		msg += " (" + broken.Hint() + ")"
	}
	return msg
}
