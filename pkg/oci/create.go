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
	"minictr/pkg/systemd"
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
	Systemd      bool `json:"systemdCgroup,omitempty"` // cgroupsPath is SLICE:PREFIX:NAME, and systemd is told

	Planned func()           `json:"-"` // called when the plan is made and nothing is there yet; nil: nobody waits
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
	config, err := readConfig(bundle, o.Config)
	if err != nil {
		return nil, err
	}
	made, err := prepare(o, config, bundle, dir)
	if err != nil {
		return nil, err
	}
	if o.Planned != nil {
		o.Planned()
	}
	if err := os.Mkdir(dir, 0o711); errors.Is(err, fs.ErrExist) {
		return nil, ErrExists
	} else if err != nil {
		return nil, err
	}
	if err := made.create(o, config); err != nil {
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

// prepare makes the plan, and nothing else.
func prepare(o Options, text []byte, bundle, dir string) (*Created, error) {
	config, err := runtime.Parse(dir, text)
	if err != nil {
		return nil, fmt.Errorf("read the bundle's configuration: %w", err)
	}
	if err := check(config.Spec, &o); err != nil {
		return nil, err
	}
	if o.Systemd && !systemd.Running() {
		return nil, systemd.ErrNotRunning
	}
	warnAmbient(config.Spec.Process)
	o.PreserveFDs += listenFDs()
	c := &Container{ID: o.ID, Bundle: bundle, Created: time.Now().UTC(), Options: o, Plan: config, dir: dir}
	if err := c.configure(); err != nil {
		return nil, err
	}
	c.Open = !c.Plan.Created
	passListenFDs(c.Spec.Process)
	if config.Overlay == nil { // else whoever knows the layers knows the home
		fillHome(c.Spec.Process, c.RootPath(), c.Spec.Mounts)
	}
	if c.Spec.Process.ConsoleSize == nil {
		c.Spec.Process.ConsoleSize = o.ConsoleSize
	}
	c.plan, err = runtime.Plan(c.Plan, consoleIO(c.Spec.Process, o.KeepConsole && o.ConsoleSocket == ""))
	return &Created{Container: c}, err
}

// startRun is the second half of run: what Start does.
func (c *Created) startRun() error {
	if c.Plan.Created {
		return c.Start()
	}
	return nil
}

// readConfig reads the bundle's configuration. A plan.json beside it, as in the
// containers of minictr, is not for us: there config.json says all, and with
// `minictr run --runtime minictr-oci` the plan is to run this very program.
func readConfig(bundle, config string) ([]byte, error) {
	config = cmp.Or(config, "config.json")
	if !filepath.IsAbs(config) {
		config = filepath.Join(bundle, config)
	}
	text, err := readRegular(config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("JSON specification file %s not found in %s", filepath.Base(config), filepath.Dir(config))
	}
	return text, err
}

func hasStartHooks(s *specs.Spec) bool {
	return s.Hooks != nil && len(s.Hooks.StartContainer)+len(s.Hooks.Poststart) > 0
}

// create runs the plan. It keeps a copy of the configuration that the plan was
// made of: nothing that is done to the bundle later may have an effect on the
// container.
func (c *Created) create(o Options, config []byte) error {
	if err := kernel.Store(filepath.Join(c.dir, "config.json"), config, 0o600); err != nil {
		return fmt.Errorf("keep the configuration: %w", err)
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
	if !plan.OfThread() {
		return runner.Run(plan)
	}
	// The plan changes its thread, which may be where that thread's children are
	// born. It stays locked and so ends with the goroutine. (To lock a thread
	// costs Go another one, so it is not done without need.)
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
