package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
	"minictr/pkg/systemd"
)

// Container is what is kept of a container between two commands.
type Container struct {
	ID      string          `json:"id"`
	Bundle  string          `json:"bundle"`
	PID     int             `json:"pid"`      // 0: create has not come that far
	Started uint64          `json:"pidStart"` // /proc/<pid>/stat field 22: tells a reused pid
	Gate    int             `json:"gate"`     // descriptor of the eventfd in the waiting process
	Open    bool            `json:"open"`     // the gate has been raised
	Created time.Time       `json:"created"`
	Vacant  bool            `json:"vacantCgroup,omitempty"` // its cgroup was there before, and empty
	Options Options         `json:"options"`
	Spec    *specs.Spec     `json:"-"` // as it was at create: config.json in our directory
	Plan    *runtime.Config `json:"-"`

	dir  string
	plan step.Plan // in the process that made it; made again elsewhere
}

// The errors of wrong moments and names, in runc's words, by which engines know
// them.
var (
	ErrNotFound    = errors.New("container does not exist")
	ErrExists      = errors.New("container with given ID already exists")
	ErrInvalidID   = errors.New("invalid container ID format")
	ErrEmptyID     = errors.New("container id cannot be empty")
	ErrNotRunning  = errors.New("container not running")
	ErrNotPaused   = errors.New("container not paused")
	ErrIsRunning   = errors.New("cannot start an already running container")
	ErrHasStopped  = errors.New("cannot start a container that has stopped")
	ErrNotStopped  = errors.New("that is not stopped")
	ErrExecStopped = errors.New("cannot exec in a stopped container")
	ErrExecPaused  = errors.New("cannot exec in a paused container (use --ignore-paused to override)")
)

// StatePaused is runc's name for a frozen container; the specification lets a
// runtime add to its states.
const StatePaused specs.ContainerState = "paused"

// Root is a directory that holds the containers of one engine.
type Root string

// DefaultRoot is used where --root is not given.
const DefaultRoot Root = "/run/minictr-oci"

// validID keeps an id from being a path: letters, digits and _+.- as runc has it.
// It must not begin with a dot: such names are no container's.
func validID(id string) error {
	for _, c := range id {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_+.-", c)) {
			return fmt.Errorf("%w: invalid character %q in %q", ErrInvalidID, c, id)
		}
	}
	if id[0] == '.' || len(id) > 1024 {
		return fmt.Errorf("%w: %q", ErrInvalidID, id)
	}
	return nil
}

func (r Root) dir(id string) (string, error) {
	if id == "" {
		return "", ErrEmptyID
	}
	if err := validID(id); err != nil {
		return "", err
	}
	return filepath.Join(string(r), id), nil
}

// Load reads a container.
func (r Root) Load(id string) (*Container, error) {
	dir, err := r.dir(id)
	if err != nil {
		return nil, err
	}
	b, err := kernel.Load(filepath.Join(dir, "state.json"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	c := &Container{dir: dir}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("state of %s: %w", id, err)
	}
	if c.Plan, err = runtime.Load(dir); err != nil {
		return nil, fmt.Errorf("state of %s: %w", id, err)
	}
	return c, c.configure()
}

// configure completes the container's configuration by what is no part of the
// bundle's files.
func (c *Container) configure() error {
	o := c.Options
	c.Spec = c.Plan.Spec
	c.Plan.Hierarchy = hierarchy
	c.Plan.ID, c.Plan.Bundle, c.Plan.Ordered = c.ID, c.Bundle, true
	if c.Spec.Linux == nil {
		c.Spec.Linux = &specs.Linux{}
	}
	if err := c.placeCgroup(); err != nil {
		return err
	}
	// Two containers may have the same configuration, and so the same cgroup.
	c.Plan.CgroupOwner, c.Plan.CgroupFound = strconv.FormatInt(c.Created.UnixNano(), 36), c.Vacant
	// Compiled seccomp profiles are kept; no container's id has an @.
	c.Plan.RunDir = filepath.Join(filepath.Dir(c.dir), "@cache")
	// Where something has to happen between create and start, run takes both.
	c.Plan.Created = !o.Run || hasStartHooks(c.Spec)
	c.Plan.PreserveFDs, c.Plan.NoPivot, c.Plan.NoNewKeyring = o.PreserveFDs, o.NoPivot, o.NoNewKeyring
	return nil
}

// placeCgroup says where the container's cgroup is.
func (c *Container) placeCgroup() (err error) {
	if c.Options.Systemd {
		if c.Plan.Scope, err = systemd.Parse(c.Spec.Linux.CgroupsPath, c.ID); err == nil {
			c.Plan.Scope.Properties, err = systemd.Annotated(c.Spec.Annotations)
		}
		return err
	}
	if c.Spec.Linux.CgroupsPath == "" {
		c.Spec.Linux.CgroupsPath = "/" + c.ID // where runc and crun have it, and tools look
	}
	return nil
}

// Forget removes what a create that was killed before it saved anything has
// left of a container: an empty directory.
func (r Root) Forget(id string) error {
	dir, err := r.dir(id)
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}

// List returns all containers, by id.
func (r Root) List() ([]*Container, error) {
	entries, err := os.ReadDir(string(r))
	if err != nil && (r != DefaultRoot || !errors.Is(err, fs.ErrNotExist)) { // a root that was named should be there
		return nil, err
	}
	var all []*Container
	for _, e := range entries {
		if c, err := r.Load(e.Name()); err == nil {
			all = append(all, c)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, nil
}

func (c *Container) save() error {
	b, err := c.encode()
	if err != nil {
		return err
	}
	tmp := filepath.Join(c.dir, "state.json.tmp")
	if err := kernel.Store(tmp, b, 0o600); err != nil {
		return fmt.Errorf("save the state of %s: %w", c.ID, err)
	}
	return unix.Rename(tmp, filepath.Join(c.dir, "state.json"))
}

// forget removes what is kept of the container, in the end: its files by name,
// and then whatever else somebody may have put there.
func (c *Container) forget() error {
	for _, name := range []string{"config.json", "state.json", "journal"} {
		_ = unix.Unlink(filepath.Join(c.dir, name))
	}
	if unix.Rmdir(c.dir) == nil {
		return nil
	}
	return os.RemoveAll(c.dir)
}

// Status asks the kernel, not the file, whether the process lives.
func (c *Container) Status() specs.ContainerState {
	state, start, err := procStat(c.PID)
	switch {
	case err != nil || start != c.Started || state == 'Z' || state == 'X':
		return specs.StateStopped
	case c.paused():
		return StatePaused
	case !c.Open:
		return specs.StateCreated
	}
	return specs.StateRunning
}

func (c *Container) paused() bool {
	g, err := c.group()
	if err != nil {
		return false
	}
	frozen, err := g.Frozen()
	return err == nil && frozen
}

// hierarchy is where this machine has its cgroups; that does not change while a
// command of an OCI runtime runs.
var hierarchy = sync.OnceValues(cgroup.Detect)

// LookAround finds out what every plan needs to know of this machine, for a
// caller who has a processor to spare while the configuration is being read.
func LookAround() {
	_, _ = hierarchy()
	_, _ = process.OwnExe()
}

// group is the container's cgroup, found again without its limits: those may
// have been changed since.
func (c *Container) group() (cgroup.Group, error) {
	h, err := hierarchy()
	if err != nil {
		return cgroup.Group{}, err
	}
	return h.Group(c.Plan.CgroupsPath(), nil)
}

// State is the state that the specification describes.
func (c *Container) State() specs.State {
	s := c.Plan.State(c.Status(), 0)
	s.ID = c.ID
	if s.Status != specs.StateStopped {
		s.Pid = c.PID
	}
	return s
}

// RootPath is the directory of the container's root on the host.
func (c *Container) RootPath() string {
	if c.Spec.Root == nil {
		return ""
	}
	if filepath.IsAbs(c.Spec.Root.Path) {
		return c.Spec.Root.Path
	}
	return filepath.Join(c.Bundle, c.Spec.Root.Path)
}

// statFields are the fields of proc_pid_stat(5) from the third on. The name in
// field 2 may hold anything, so they are those behind it.
func statFields(pid int) ([]string, error) {
	b, err := kernel.Load("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// procStat reads the state letter and the start time (clock ticks since boot)
// of a process.
func procStat(pid int) (state byte, start uint64, err error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, 0, err
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], start, err
}
