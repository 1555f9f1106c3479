package runtime

import (
	"fmt"
	"os"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/cgroup"
	"minictr/pkg/device"
	"minictr/pkg/kernel"
	"minictr/pkg/namespace"
	"minictr/pkg/network"
	"minictr/pkg/process"
	"minictr/pkg/rootfs"
	"minictr/pkg/step"
	"minictr/pkg/systemd"
)

// IO says what the container's program has as standard input and outputs:
// three descriptors in the runner's slots (package process), or a terminal of
// the container's own, whose master side the caller finds in slot
// terminal.Console.
type IO struct {
	Terminal      bool
	Width, Height uint16 // of the terminal, in characters; 0: left as it is
	PlainLines    bool   // see terminal.Options
}

// builder collects the steps of one plan.
type builder struct {
	c    *Config
	spec *specs.Spec
	io   IO
	ns   namespace.Set
	cg   cgroup.Group
	plan step.Plan
	err  error

	netDevices []network.Device // of the host, for the container

	target   int           // of exec: the container's first process
	taken    step.Step     // what the host took hold of for a user namespace
	lent     []kernel.Slot // descriptors besides that the child inherits and the host closes
	maps     []idMaps      // of idmapped mounts
	mapSlots []kernel.Slot // what to close of them
}

func (b *builder) add(steps ...step.Step) { b.plan = append(b.plan, steps...) }

// addIfAny adds a step unless it has nothing to do.
func (b *builder) addIfAny(s step.Step) {
	if len(s.Calls) > 0 {
		b.add(s)
	}
}

// try adds a step whose description may be wrong.
func (b *builder) try(s step.Step, err error) {
	if err != nil && b.err == nil {
		b.err = err
	}
	b.add(s)
}

// Plan lists the steps that make container c.
func Plan(c *Config, io IO) (step.Plan, error) {
	b := &builder{c: c, spec: c.Spec, io: io}
	if c.Other != nil {
		b.otherPlan()
		return b.finish()
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	mounts, err := b.mounts()
	if err != nil {
		return nil, err
	}
	for i, m := range mounts {
		mounts[i] = m.Beneath(c.Subpaths[m.Destination])
	}
	b.hostBefore()
	b.lendExe()
	b.idmaps(mounts)
	b.sources(mounts)
	if len(c.Secrets) > 0 {
		b.add(rootfs.OpenSecrets(c.Secrets))
	}
	b.clone()
	if len(c.Secrets) > 0 {
		b.add(rootfs.CloseSecrets(c.Secrets))
	}
	b.hostBeside()
	b.identity()
	b.tree(mounts)
	if len(c.Secrets) > 0 {
		b.add(rootfs.Secrets(c.Secrets))
	}
	b.surroundings()
	b.add(process.Enter(b.spec.Process.Cwd, true))
	if c.Created && len(b.spec.Process.Args) > 0 {
		b.add(process.Find(b.spec.Process))
	}
	if b.spec.Root.Readonly && b.ns.Has(unix.CLONE_NEWNS) {
		b.add(rootfs.Seal())
	}
	b.program(b.spec.Process, b.last)
	return b.finish()
}

// finish leaves out what the user wants left out, and looks the plan over.
func (b *builder) finish() (plan step.Plan, err error) {
	if b.err != nil {
		return nil, b.err
	}
	plan = b.plan
	for _, name := range b.c.Without {
		if plan, err = plan.Without(name, disposable()); err != nil {
			return nil, err
		}
	}
	return plan, plan.Check()
}

// check refuses configurations that no plan can be made of.
func (b *builder) check() error {
	switch {
	case b.spec.Process == nil:
		return fmt.Errorf("the configuration has no process")
	case b.spec.Root == nil:
		return fmt.Errorf("the configuration has no root")
	case b.spec.Linux == nil:
		b.spec.Linux = &specs.Linux{}
	}
	err := refuse(b.spec)
	if err != nil {
		return err
	}
	if b.ns, err = namespace.FromSpec(b.spec.Linux.Namespaces); err != nil {
		return err
	}
	if err := checkSysctls(b.spec, b.ns); err != nil {
		return err
	}
	if b.ns.Has(unix.CLONE_NEWUSER) {
		b.spec.Linux.UIDMappings = orOwn(b.spec.Linux.UIDMappings, os.Geteuid())
		b.spec.Linux.GIDMappings = orOwn(b.spec.Linux.GIDMappings, os.Getegid())
	}
	detect := cgroup.Detect
	if b.c.Hierarchy != nil {
		detect = b.c.Hierarchy
	}
	hierarchy, err := detect()
	if err != nil {
		return err
	}
	b.cg, err = hierarchy.Group(b.c.CgroupsPath(), b.spec.Linux.Resources)
	b.cg.Owner, b.cg.Found = b.c.CgroupOwner, b.c.CgroupFound
	return err
}

// orOwn is an id map that maps somebody: where the configuration has none, who
// starts the container is its root, and nobody else is known there.
func orOwn(maps []specs.LinuxIDMapping, id int) []specs.LinuxIDMapping {
	if len(maps) > 0 {
		return maps
	}
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(id), Size: 1}}
}

func (b *builder) userns() bool {
	return b.ns.Has(unix.CLONE_NEWUSER) || b.ns.Joins(unix.CLONE_NEWUSER)
}

// hostBefore: what must be there before the process is.
func (b *builder) hostBefore() {
	b.loadProfile()
	b.add(cgroup.Create(b.cg))
	b.addIfAny(cgroup.Limit(b.cg))
	b.deviceRules()
	if ep := b.c.Network; ep != nil {
		b.add(network.Prepare(ep)...)
	}
	b.takeDevices()
	b.moveDevices(true)
	if join, any := namespace.JoinParent(b.ns); any && !b.ns.Adopts() && !b.ns.TwoBirths(b.spec.Linux.TimeOffsets) {
		b.add(join)
	}
}

// deviceRules say which devices the container may open: an eBPF program on its
// cgroup2 directory, or the files of v1 where it has the controller.
func (b *builder) deviceRules() {
	r := b.spec.Linux.Resources
	if r == nil || len(r.Devices) == 0 {
		return
	}
	rules, err := device.Filter(r.Devices, cgroup.Slot)
	if dir := b.cg.Dir("devices"); dir != "" {
		rules, err = device.Exceptions(r.Devices, dir)
	}
	if err != nil && b.err == nil {
		b.err = err
	}
	b.addIfAny(rules)
}

// clone makes the process.
func (b *builder) clone() {
	// The root of a cgroup namespace is the cgroup of the process at that
	// moment, and clone3 would take its parent's: cgroup.Enter unshares it.
	switch {
	case b.ns.Adopts():
		b.add(namespace.Clone(namespace.Set{}, 0, b.cg.CloneSlot()))
		b.asHostsRoot(false)
		b.try(namespace.Adopt(b.ns, b.spec.Linux.TimeOffsets))
	case b.ns.TwoBirths(b.spec.Linux.TimeOffsets):
		b.add(namespace.Clone(namespace.Set{}, 0, b.cg.CloneSlot()))
		b.try(namespace.SecondBirth(b.ns, unix.CLONE_NEWCGROUP, b.spec.Linux.TimeOffsets))
	default:
		b.add(namespace.Clone(b.ns, unix.CLONE_NEWCGROUP, b.cg.CloneSlot()))
	}
	b.releaseCgroup()
	b.releaseExe()
	if len(b.taken.Calls) > 0 {
		b.add(rootfs.ReleaseSources(b.taken, b.lent...))
	}
	if len(b.mapSlots) > 0 {
		b.add(namespace.ReleaseMaps(b.mapSlots))
	}
}

// releaseCgroup closes the cgroup's directory, of which only clone3 had need.
func (b *builder) releaseCgroup() {
	if slot := b.cg.CloneSlot(); slot != "" {
		b.add(step.Step{
			Name: "cgroup.release", Topic: book.Cgroups, Side: step.Host,
			Why:   "the process is in its cgroup; the descriptor that named it to clone3 is not needed any more",
			Calls: []kernel.Call{kernel.Close(kernel.FD(slot))},
			Rule:  "a closed descriptor leaves nothing",
		})
	}
}

// forgetCgroup closes the child's copy at once: through a descriptor of one of
// the host's directories a path could leave the container.
func (b *builder) forgetCgroup() {
	if slot := b.cg.CloneSlot(); slot != "" {
		b.add(step.Step{
			Name: "cgroup.forget", Topic: book.Cgroups, Side: step.Inside,
			Why:   "no descriptor of a directory of the host goes into the container, not even until execve closes it",
			Calls: []kernel.Call{kernel.Close(kernel.FD(slot))},
			Rule:  "a closed descriptor leaves nothing",
		})
	}
}

// hostBeside: what the host does with the new process, while that is busy with
// its file tree. The child waits for all of it where it first needs it.
func (b *builder) hostBeside() {
	if b.ns.Has(unix.CLONE_NEWUSER) {
		b.add(namespace.MapIDs(b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings))
	}
	if s := b.spec.Process.OOMScoreAdj; s != nil && b.userns() {
		b.add(process.OOMScoreOf(*s))
	}
	if b.c.Scope != nil {
		limits, err := systemd.Properties(b.cg.Settings(), b.cg.Hierarchy.Mode() == cgroup.V2)
		b.try(b.c.Scope.Start(limits), err)
	}
	if ep := b.c.Network; ep != nil {
		b.add(network.Attach(ep)...)
	}
	b.moveDevices(false)
}

// asHostsRoot: what the process does while it still is the host's root.
func (b *builder) asHostsRoot(cgroupNamespace bool) {
	b.add(process.Hide())
	b.guardExe()
	b.forgetCgroup()
	b.label(b.spec.Process)
	if len(b.spec.Linux.Sysctl) > 0 {
		b.add(process.ReachSettings())
	}
	// Another user may not enter it.
	b.addIfAny(cgroup.Enter(b.cg, cgroupNamespace))
	b.affinity("")
}

// identity: who the process is while it works on its own making.
func (b *builder) identity() {
	if !b.ns.Adopts() {
		b.asHostsRoot(b.ns.Has(unix.CLONE_NEWCGROUP))
		if b.ns.Has(unix.CLONE_NEWUSER) {
			b.add(namespace.AssumeRoot())
		}
		if join, any := namespace.JoinInside(b.ns); any {
			b.add(join)
		}
	}
	if !b.io.Terminal {
		b.add(process.Session(), process.Stdio())
	}
	if s := b.spec.Process.OOMScoreAdj; s != nil && !b.userns() {
		b.add(process.OOMScore(*s))
	}
	b.attributes(b.spec.Process)
}

// propagations by their names in the configuration.
var propagations = map[string]kernel.MountFlags{
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// surroundings: names, network and kernel settings, then the covers.
func (b *builder) surroundings() {
	if b.spec.Hostname != "" || b.spec.Domainname != "" {
		b.add(namespace.Hostname(b.spec.Hostname, b.spec.Domainname))
	}
	switch {
	case b.c.Network != nil:
		b.add(network.Configure(b.c.Network))
	case b.ns.Has(unix.CLONE_NEWNET):
		b.add(network.Loopback())
	}
	if len(b.netDevices) > 0 && b.ns.Has(unix.CLONE_NEWNET) {
		b.add(network.AwaitDevices())
	}
	l := b.spec.Linux
	if len(l.Sysctl) > 0 {
		b.add(process.Sysctl(l.Sysctl))
	}
	if masked := b.masked(); len(masked) > 0 {
		b.add(rootfs.Mask(masked))
	}
	if len(l.ReadonlyPaths) > 0 {
		b.add(rootfs.ReadOnly(l.ReadonlyPaths))
	}
	if p, ok := propagations[strings.TrimSpace(l.RootfsPropagation)]; ok && p&(unix.MS_SHARED|unix.MS_UNBINDABLE) != 0 && b.ns.Has(unix.CLONE_NEWNS) {
		b.add(rootfs.Propagate(p))
	}
}

// disposable reports whether this machine was made to be broken: the VM's
// kernel command line says so. No environment variable could: a student's
// shell would set it once, and for ever.
func disposable() bool {
	cmdline, _ := os.ReadFile("/proc/cmdline")
	return slices.Contains(strings.Fields(string(cmdline)), "minictr.disposable")
}
