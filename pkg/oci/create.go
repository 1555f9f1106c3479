package oci

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// Options of Create. Those that matter to later commands are kept.
type Options struct {
	ID      string `json:"-"`
	Bundle  string `json:"-"`
	Config  string `json:"-"` // the configuration's file, in the bundle or absolute; "": config.json
	PidFile string `json:"-"`
	Run     bool   `json:"run,omitempty"` // create and start in one

	ConsoleSocket string     `json:"-"` // unix socket that gets the terminal's master
	PidfdSocket   string     `json:"-"` // unix socket that gets a pidfd of the process
	KeepConsole   bool       `json:"-"` // the caller wants the master himself, see Created.Console
	ConsoleSize   *specs.Box `json:"-"` // of the terminal, unless the configuration says one

	PreserveFDs  int  `json:"preserveFDs,omitempty"` // descriptors from 3 on that the program gets
	NoPivot      bool `json:"noPivot,omitempty"`
	NoNewKeyring bool `json:"noNewKeyring,omitempty"`

	Observe func(step.Event) `json:"-"` // told every call of the plan; nil: nobody asks
}

// Created is a container that this process has made.
type Created struct {
	*Container
	Console *os.File // the terminal's master, with KeepConsole
}

// Create makes a container and leaves its process at the gate, or, with Run,
// running. On failure nothing is left.
func (r Root) Create(o Options) (*Created, error) {
	dir, err := r.dir(o.ID)
	if err != nil {
		return nil, err
	}
	bundle, err := filepath.Abs(o.Bundle)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(r), 0o711); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o711); errors.Is(err, fs.ErrExist) {
		return nil, ErrExists
	} else if err != nil {
		return nil, err
	}
	made, err := r.make(o, bundle, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if !o.Run {
		return made, nil
	}
	if err := made.startRun(); err != nil {
		return nil, errors.Join(err, made.Delete(true))
	}
	return made, nil
}

func (r Root) make(o Options, bundle, dir string) (*Created, error) {
	if err := keepConfig(bundle, dir, o.Config); err != nil {
		return nil, err
	}
	config, err := runtime.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if err := check(config.Spec, &o); err != nil {
		return nil, err
	}
	warnAmbient(config.Spec.Process)
	o.PreserveFDs += listenFDs()
	c := &Container{ID: o.ID, Bundle: bundle, Created: time.Now().UTC(), Options: o, Plan: config, dir: dir}
	c.configure()
	c.Open = !c.Plan.Created
	passListenFDs(c.Spec.Process)
	if config.Overlay == nil { // else whoever knows the layers knows the home
		fillHome(c.Spec.Process, c.RootPath(), c.Spec.Mounts)
	}
	if c.Spec.Process.ConsoleSize == nil {
		c.Spec.Process.ConsoleSize = o.ConsoleSize
	}
	made := &Created{Container: c}
	return made, made.create(o)
}

// startRun is the second half of run: what Start does.
func (c *Created) startRun() error {
	if c.Plan.Created {
		return c.Start()
	}
	return nil
}

// keepConfig copies the bundle's configuration, for nothing that is done to it
// later may have an effect on the container. A plan.json beside it, as in the
// containers of minictr, is not for us: there config.json says all, and with
// `minictr run --runtime minictr-oci` the plan is to run this very program.
func keepConfig(bundle, dir, config string) error {
	config = cmp.Or(config, "config.json")
	if !filepath.IsAbs(config) {
		config = filepath.Join(bundle, config)
	}
	err := keep(config, filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("JSON specification file %s not found in %s", filepath.Base(config), filepath.Dir(config))
	}
	if err != nil {
		return fmt.Errorf("keep the configuration: %w", err)
	}
	return nil
}

func keep(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

func hasStartHooks(s *specs.Spec) bool {
	return s.Hooks != nil && len(s.Hooks.StartContainer)+len(s.Hooks.Poststart) > 0
}

func (c *Created) create(o Options) error {
	var err error
	if c.plan, err = runtime.Plan(c.Plan, consoleIO(c.Spec.Process, o.KeepConsole && o.ConsoleSocket == "")); err != nil {
		return err
	}
	// The plan can be undone from here on, should we be killed.
	if err := c.save(); err != nil {
		return err
	}
	journal, err := step.OpenJournal(c.journal())
	if err != nil {
		return err
	}
	defer journal.Close()
	if !c.Spec.Process.Terminal {
		giveStdio(c.Spec.Process.User, c.Spec)
	}
	p, err := c.runPlan(journal, o)
	if err != nil {
		return c.explainFailure(err, c.Spec.Process)
	}
	c.PID, c.Gate = p.PID, int(p.Slots[process.Gate])
	_, c.Started, _ = procStat(c.PID)
	err = c.save()
	if err == nil {
		c.Console, err = console(p, o.ConsoleSocket, o.KeepConsole)
	}
	if err == nil && o.PidfdSocket != "" {
		err = sendPidfd(o.PidfdSocket, c.PID)
	}
	if err == nil && o.PidFile != "" {
		err = writePidFile(o.PidFile, c.PID)
	}
	if err != nil {
		_ = c.end()
		return errors.Join(err, c.undo())
	}
	return nil
}

// consoleIO is the process's terminal, if it has one. Its lines end plainly
// (see terminal.Options) where the master stays with us.
func consoleIO(p *specs.Process, keep bool) runtime.IO {
	if p == nil || !p.Terminal {
		return runtime.IO{}
	}
	o := runtime.IO{Terminal: true, PlainLines: keep}
	if p.ConsoleSize != nil {
		o.Width, o.Height = uint16(p.ConsoleSize.Width), uint16(p.ConsoleSize.Height)
	}
	return o
}

// runPlan runs a plan with our standard streams, or with another input.
func runPlan(plan step.Plan, journal *step.Journal, observe func(step.Event), stdin *os.File) (*step.Process, error) {
	process.HeedSignals()
	slots := make(map[kernel.Slot]int)
	var err error
	// A process with a terminal must not have copies of our streams: it would keep
	// them open at the gate, and whoever reads what create prints waits for the end.
	if plan.Index("process.stdio") >= 0 {
		slots, err = duplicates()
	}
	if err != nil {
		return nil, err
	}
	if stdin != nil {
		slots[process.Stdin] = int(stdin.Fd())
	}
	runner := step.Runner{Journal: journal, Observe: observe, Slots: slots}
	if plan.Index("namespace.reach") < 0 && plan.Index("namespace.join-parent") < 0 {
		goruntime.LockOSThread()
		defer goruntime.UnlockOSThread()
		return runner.Run(plan)
	}
	// The plan changes where the children of its thread are born. The thread
	// stays locked and so ends with the goroutine.
	var p *step.Process
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread()
		p, err = runner.Run(plan)
	}()
	<-done
	return p, err
}

// console hands the terminal's master to whoever is to have it.
func console(p *step.Process, socket string, keep bool) (*os.File, error) {
	fd, ok := p.Slots[terminal.Copy]
	if !ok {
		return nil, nil
	}
	master := os.NewFile(fd, "/dev/ptmx")
	if keep && socket == "" {
		return master, nil
	}
	defer master.Close()
	return nil, sendConsole(socket, master)
}

// writePidFile: whoever waits for the file must never find half of it. What is
// no regular file, /dev/null or a pipe, is written to and not replaced.
func writePidFile(path string, pid int) error {
	tmp, pidText := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)), []byte(strconv.Itoa(pid))
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		tmp = path
	}
	if err := os.WriteFile(tmp, pidText, 0o666); err != nil {
		return fmt.Errorf("write the pid file: %w", err)
	}
	if tmp == path {
		return nil
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write the pid file: %w", err), os.Remove(tmp))
	}
	return nil
}

func (c *Container) journal() string { return filepath.Join(c.dir, "journal") }

// duplicates gives the container's standard streams, which are ours, numbers
// that dup3 can copy from.
func duplicates() (map[kernel.Slot]int, error) {
	slots := make(map[kernel.Slot]int, 3)
	for i, s := range []kernel.Slot{process.Stdin, process.Stdout, process.Stderr} {
		fd, err := unix.FcntlInt(uintptr(i), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", i, err)
		}
		slots[s] = fd
	}
	return slots, nil
}
