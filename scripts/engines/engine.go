package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// engine is a way to ask for the same things in the words of one engine.
type engine struct {
	*bench
	name  string
	needs []string     // programs without which it is not here
	start func() error // daemons, and the image

	run  func(o options, args ...string) []string
	exec func(id string, tty bool, args ...string) []string
	logs func(id string) (string, error)
	stop func(id string) error        // ask it to end, and wait
	kill func(id string) []string     // SIGKILL
	wait func(id string) (int, error) // until it has ended; its exit code
	ids  func() ([]string, error)     // of all containers
	rm   func(id string) error        // also of one that runs

	pause, resume func(id string) []string
	version       []string
	noPids        string // why the number of processes cannot be limited
}

// options of run.
type options struct {
	id     string
	detach bool
	tty    bool
	memory string // bytes
	pids   string
}

// installed reports the first program that is missing.
func (e *engine) installed() error {
	for _, program := range e.needs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	return nil
}

// patience is how long one command of an engine may take.
const patience = 60 * time.Second

// command runs a command of an engine and returns what it printed and its exit code. Output goes through a file: some
// engines leave a process behind that would keep a pipe open.
func (b *bench) command(argv []string) (output string, code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	file, err := os.CreateTemp(b.dir, "output")
	if err != nil {
		return "", 0, err
	}
	defer func() { file.Close(); os.Remove(file.Name()) }()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = b.dir // conmon leaves a file "oom" in its working directory
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	failure := cmd.Run()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return "", 0, err
	}
	output = string(text)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return output, 0, fmt.Errorf("%s: no end after %s: %s", strings.Join(argv, " "), patience, lastLine(output))
	case errors.As(failure, &exit) && exit.ExitCode() >= 0:
		return output, exit.ExitCode(), nil
	}
	return output, 0, failure
}

// must runs a command that is to succeed.
func (b *bench) must(argv ...string) (string, error) {
	out, code, err := b.command(argv)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", strings.Join(argv, " "), code, lastLine(out))
	}
	return out, err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// daemon starts a daemon that ends with the room, and waits until a command succeeds.
func (b *bench) daemon(argv []string, answers ...string) error {
	log, err := os.Create(filepath.Join(b.dir, filepath.Base(argv[0])+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the room at the latest
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if len(ended) > 0 {
			break
		}
		if exec.Command(answers[0], answers[1:]...).Run() == nil {
			return nil
		}
	}
	said, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s does not come up: %s", argv[0], lastLine(string(bytes.TrimSpace(said))))
}

// eventually waits for something that has no better way to say that it is there.
func eventually(there func() (bool, error)) error {
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if ok, err = there(); ok {
			return nil
		}
	}
	return errors.Join(errors.New("no change for 20 seconds"), err)
}

func (e *engine) has(id string) (bool, error) {
	ids, err := e.ids()
	return slices.Contains(ids, id), err
}
