package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// engine is a competitor with docker's command line.
type engine struct {
	name   string
	prefix []string // of every command
	limits []string // of run and create
	env    []string
	world  *world
	shim   string // beginning of the name of the process that stays with a container
	note   string // what is special about its circumstances
}

const (
	image   = "bench" // what everyone calls the image
	idle    = "idle"  // a container that sleeps while the tasks run
	records = 100     // containers that ps lists
)

// prepareEngines makes those that are installed ready to run containers.
func (b *bench) prepareEngines() {
	minictr := &engine{
		name: "minictr", prefix: []string{filepath.Join(b.temp, "bin/minictr")}, shim: "minictr-shim",
	}
	b.prepare(minictr, "make build", nil)
	docker := &engine{
		name: "docker", prefix: []string{"docker"}, shim: "containerd-shim",
		env: []string{"DOCKER_HOST=unix:///run/docker.sock"},
	}
	b.prepare(docker, "Debian: docker.io", startDocker)
	podman := &engine{name: "podman", prefix: podmanPrefix, shim: "conmon"}
	if !mayRaiseLimits() {
		podman.limits = []string{"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"}
		podman.note = "podman: with --ulimit nofile and nproc, its defaults are not permitted here"
	}
	b.prepare(podman, "Debian: podman", nil)
}

// Podman's own defaults for root, spelled out: the machine's configuration may say otherwise, and nobody in the room is
// systemd.
var podmanPrefix = []string{
	"podman", "--root", "/var/lib/containers/storage", "--runroot", "/run/containers/storage",
	"--network-config-dir", "/var/lib/containers/networks", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
}

func (b *bench) prepare(e *engine, whence string, start func(*bench) error) {
	if slices.Contains(b.skip, e.name) {
		b.report.missing(e.name, errors.New("left out (-skip)"))
		return
	}
	if _, err := exec.LookPath(e.prefix[0]); err != nil {
		b.report.missing(e.name, fmt.Errorf("not installed (%s)", whence))
		return
	}
	progress("%s: import the image, start a container", e.name)
	if start != nil {
		if err := start(b); err != nil {
			b.report.missing(e.name, err)
			return
		}
	}
	if err := b.warmUp(e); err != nil {
		b.report.missing(e.name, err)
		return
	}
	b.report.version(e.name, e.version())
	if e.note != "" {
		b.report.notes = append(b.report.notes, e.note)
	}
	b.engines = append(b.engines, e)
}

// warmUp imports the image, proves that a container really runs, and leaves one running.
func (b *bench) warmUp(e *engine) error {
	if _, err := e.output("import", b.tarball, image); err != nil {
		return err
	}
	err := e.check()
	if err != nil && e.name == "podman" && onHybrid() {
		first := err
		if e.world, err = legacyWorld(); err == nil {
			err = e.check()
		}
		if err != nil {
			return errors.Join(first, err)
		}
		b.report.notes = append(b.report.notes, "podman: "+legacyNote)
	}
	if err != nil {
		return err
	}
	_, err = e.output(e.run("-d", "--name", idle, image, "sleep", "100000")...)
	return err
}

// check runs a command whose exit code can be nobody else's.
func (e *engine) check() error {
	_, err := e.output(e.run("--rm", image, "sh", "-c", "exit 43")...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 43 {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s run: exit code 0 from a container that ended with 43", e.name)
	}
	return err
}

// version is the client's: docker's daemon comes from the same package or one that the client knows how to talk to.
func (e *engine) version() string {
	for _, args := range [][]string{{"version", "--format", "{{.Client.Version}}"}, {"--version"}} {
		if text, err := e.output(args...); err == nil && text != "" {
			return text[strings.LastIndexByte(text, ' ')+1:]
		}
	}
	return "of unknown version"
}

// run is a run command's arguments.
func (e *engine) run(args ...string) []string {
	return slices.Concat([]string{"run", "--pull=never"}, e.limits, args)
}

func (e *engine) output(args ...string) (string, error) {
	return e.world.output(e.env, slices.Concat(e.prefix, args)...)
}

func (e *engine) contender(args ...string) *contender {
	return &contender{name: e.name, argv: slices.Concat(e.prefix, args), env: e.env, world: e.world}
}

func (b *bench) bridge() (all []*contender) {
	for _, e := range b.engines {
		all = append(all, e.contender(e.run("--rm", image, "true")...))
		if e.name == "minictr" {
			cold, err := b.cold(e)
			if err != nil {
				b.report.missing(coldName, err)
				continue
			}
			all = append(all, cold)
		}
	}
	return all
}

func (b *bench) none() (all []*contender) {
	for _, e := range b.engines {
		all = append(all, e.contender(e.run("--rm", "--network", "none", image, "true")...))
	}
	return all
}

func (b *bench) detached() (all []*contender) {
	for _, e := range b.engines {
		all = append(all, e.contender(e.run("-d", "--rm", image, "true")...))
	}
	return all
}

func (b *bench) exec() (all []*contender) {
	for _, e := range b.engines {
		all = append(all, e.contender("exec", idle, "true"))
	}
	return all
}

// ps needs containers to list: idle, and others that were never started.
func (b *bench) ps() (all []*contender) {
	for _, e := range b.engines {
		if err := e.create(records - 1); err != nil {
			b.report.missing(e.name+" ps", err)
			continue
		}
		all = append(all, e.contender("ps", "-a"))
	}
	return all
}

// create makes so many containers that are never started.
func (e *engine) create(n int) (err error) {
	progress("%s: create %d containers", e.name, n)
	for ; n > 0 && err == nil; n-- {
		_, err = e.output(slices.Concat([]string{"create", "--pull=never"}, e.limits, []string{image, "true"})...)
	}
	return err
}

const coldName = "minictr, no other running"

// cold is minictr when no container runs: docker's and podman's bridges exist from their first container on, minictr's
// goes with the last. It has a MINICTR_ROOT of its own, where nothing is idle.
func (b *bench) cold(e *engine) (*contender, error) {
	c := *e
	c.name = coldName
	c.env = []string{"MINICTR_ROOT=/var/lib/minictr-cold", "MINICTR_RUN=/run/minictr-cold"}
	before := bridges()
	if _, err := c.output("import", b.tarball, image); err != nil {
		return nil, err
	}
	turn := c.contender(c.run("--rm", image, "true")...)
	// Its bridge goes a second later, which would disturb whoever is next.
	turn.after = func() error {
		gone := func() bool {
			return !slices.ContainsFunc(bridges(), func(name string) bool { return !slices.Contains(before, name) })
		}
		if !eventually(10*time.Second, gone) {
			return errors.New("its bridge still exists ten seconds after its last container")
		}
		return nil
	}
	return turn, nil
}

// bridges lists minictr's.
func bridges() (names []string) {
	links, _ := net.Interfaces()
	for _, l := range links {
		if strings.HasPrefix(l.Name, "minictr") {
			names = append(names, l.Name)
		}
	}
	return names
}

// startDocker starts a dockerd, which starts a containerd, for the room alone. Both end with it.
func startDocker(b *bench) error {
	if _, err := exec.LookPath("dockerd"); err != nil {
		return errors.New("the client is installed, dockerd is not (Debian: docker.io)")
	}
	configuration := filepath.Join(b.temp, "docker.json") // instead of the machine's, which may name other directories
	if err := os.WriteFile(configuration, []byte("{}"), 0o644); err != nil {
		return err
	}
	journal, err := os.Create(filepath.Join(b.temp, "dockerd.log"))
	if err != nil {
		return err
	}
	defer journal.Close()
	daemon := exec.Command("dockerd", "--config-file", configuration, "--host", "unix:///run/docker.sock")
	daemon.Stdout, daemon.Stderr = journal, journal
	if err := daemon.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }() // ends with the room at the latest
	answers := func() bool {
		return len(ended) > 0 || exec.Command("docker", "--host", "unix:///run/docker.sock", "info").Run() == nil
	}
	if eventually(30*time.Second, answers) && len(ended) == 0 {
		return nil
	}
	said, _ := os.ReadFile(journal.Name())
	return fmt.Errorf("dockerd does not come up in the room: %s", lastLine(said))
}

// mayRaiseLimits tells whether a hard resource limit may be raised; engines do so by default.
func mayRaiseLimits() bool {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return true
	}
	more := unix.Rlimit{Cur: limit.Cur, Max: limit.Max + 1}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &more, nil); err != nil {
		return false
	}
	_ = unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil)
	return true
}
