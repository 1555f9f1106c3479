package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"minictr/rootfs"
)

// bench is one run of the benchmark.
type bench struct {
	options
	temp    string // on the real disk
	tarball string // the root file system that every engine imports
	bundle  string // the same, as an OCI bundle
	engines []*engine
	report  report
}

// inside is the process that measures.
func inside(o options) error {
	b := &bench{options: o, temp: os.Getenv("BENCH_TEMP")}
	if err := enterRoom(b.temp); err != nil {
		return err
	}
	if len(o.args) > 0 {
		return look(o.args[1:])
	}
	if err := b.rootfs(); err != nil {
		return err
	}
	b.report.machine = describeMachine()
	b.report.rounds, b.report.warmup = o.rounds, o.warmup
	b.prepareEngines()
	runtimes := b.prepareRuntimes()

	for _, t := range []struct {
		name, title string
		contenders  func() []*contender
	}{
		{"bridge", "run --rm IMAGE true, on a bridge network", b.bridge},
		{"none", "the same without a network, and the bare bundle", func() []*contender { return append(b.none(), runtimes...) }},
		{"run -d", "run -d --rm IMAGE true, until the command returns", b.detached},
		{"exec", "exec CONTAINER true", b.exec},
		{"ps", fmt.Sprintf("ps -a, with %d containers", records), b.ps},
		{"ps 1000", fmt.Sprintf("ps -a, with %d containers", manyRecords), b.manyPs},
	} {
		if b.wants(t.name) {
			b.race(table{task: t.name, title: t.title}, t.contenders(), b.rounds)
		}
		if t.name == "exec" {
			b.withFewContainers()
		}
	}
	b.bundles(runtimes)
	b.report.load = load()
	b.report.print(os.Stdout)
	if o.markdown == "" {
		return nil
	}
	return os.WriteFile(o.markdown, []byte(b.report.markdown(time.Now())), 0o644)
}

// withFewContainers is what comes before there are a hundred containers: an idle shim is what is weighed.
func (b *bench) withFewContainers() {
	if b.wants("memory") {
		b.weigh()
	}
	if b.wants("growth") {
		b.grow()
	}
	if b.wants("start") {
		b.crowd()
	}
}

// look runs a command in the room.
func look(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitCode(exit.ExitCode())
	}
	return err
}

func (b *bench) wants(task string) bool {
	return len(b.tasks) == 0 || slices.Contains(b.tasks, task)
}

// rootfs lays out the built-in base image: as a tarball for the engines, unpacked for the runtimes.
func (b *bench) rootfs() error {
	data, err := rootfs.Tarball()
	if err != nil {
		return err
	}
	b.tarball = filepath.Join(b.temp, "base.tar.gz")
	if err := os.WriteFile(b.tarball, data, 0o644); err != nil {
		return err
	}
	b.bundle = filepath.Join(b.temp, "bundle")
	root := filepath.Join(b.bundle, "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("tar", "-xzf", b.tarball, "-C", root).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack the root file system: %w: %s", err, out)
	}
	return nil
}

// race lets the contenders of one task take turns, and puts their times into the report.
func (b *bench) race(t table, all []*contender, counted int) {
	progress("%s: %d contenders", t.task, len(all))
	t.rows = rounds(all, b.warmup, counted, quiet, b.report.missing)
	b.report.tables = append(b.report.tables, t)
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// eventually waits for something that has no better way to say that it is there.
func eventually(limit time.Duration, there func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if there() {
			return true
		}
	}
	return there()
}
