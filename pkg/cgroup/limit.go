package cgroup

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Limit writes the limits of the group's resources. They are in place before
// the process exists, so there is no moment in which it runs without.
//
// Without resources the step has no calls.
func Limit(g Group) step.Step {
	var calls []kernel.Call
	for _, s := range g.settings {
		calls = append(calls, s.calls(g.Dir(s.controller))...)
	}
	return step.Step{
		Name:  "cgroup.limit",
		Topic: book.Cgroups,
		Why:   "Without a limit a container may take all memory, processor time and process ids of the host.",
		Side:  step.Host,
		Calls: calls,
		Rule:  "the limits are files of the cgroup and go with it",
	}
}

// setting is one value to write into one file of a cgroup.
type setting struct {
	controller  string // as this machine names it: blkio on v1, io on v2
	file, value string

	// optional says that a kernel without this file is as good: it has
	// nothing to limit. instead is what to write then.
	optional bool
	instead  *setting
}

// calls writes the setting in dir.
func (s setting) calls(dir string) []kernel.Call {
	path := filepath.Join(dir, s.file)
	calls := kernel.WriteFile(path, s.value)
	if !s.optional {
		return calls
	}
	// A slot of its own: the guards must not see the last file that was opened.
	slot := kernel.Slot(path)
	calls[0] = calls[0].Allowing(unix.ENOENT).Into(slot)
	calls[1].Args[0], calls[2].Args[0] = kernel.FD(slot), kernel.FD(slot)
	calls[1], calls[2] = calls[1].IfOK(slot), calls[2].IfOK(slot)
	if s.instead != nil {
		for _, c := range s.instead.calls(dir) {
			calls = append(calls, c.IfFailed(slot))
		}
	}
	return calls
}

// settings translates the OCI resources for this machine. v1's files are what
// the specification describes; cgroup2 wants some in other units.
func (h Hierarchy) settings(r *specs.LinuxResources, from cpuset) ([]setting, error) {
	if r == nil {
		return nil, nil
	}
	l := &lister{h: h}
	if r.Memory != nil {
		l.memory(r.Memory)
	}
	if r.CPU != nil {
		l.cpu(r.CPU)
		l.cpuset(r.CPU, from)
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		l.pids(*r.Pids.Limit)
	}
	if r.BlockIO != nil {
		l.blockIO(r.BlockIO)
	}
	for _, huge := range r.HugepageLimits {
		l.hugetlb(huge)
	}
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		l.rdma(device, r.Rdma[device])
	}
	if r.Network != nil {
		l.network(r.Network)
	}
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		l.unified(file, r.Unified[file])
	}
	return l.list, l.err
}

// lister collects settings and the first thing that cannot be set.
type lister struct {
	h    Hierarchy
	list []setting
	err  error
}

func (l *lister) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *lister) add(controller, file, value string) {
	l.list = append(l.list, setting{controller: controller, file: file, value: value})
}

// world finds controller c, which name wants: true if it is cgroup2's.
func (l *lister) world(c, name string) (v2, ok bool) {
	if !l.h.Has(c) {
		l.fail(ErrNoController{Name: c, For: name})
		return false, false
	}
	return l.h.Unifies(c), true
}

// onlyV1 notes a setting that cgroup2 does not have.
func (l *lister) onlyV1(name, why string) {
	l.fail(ErrNoSetting{Name: name, Why: "cgroup v2 has no such setting: " + why})
}

// pids: the specification's "no limit" is a negative number. The kernel would
// let nobody in where none may be; as with systemd and runc none means the
// container's own process.
func (l *lister) pids(limit int64) {
	value := "max"
	if limit >= 0 {
		value = decimal(max(limit, 1))
	}
	if _, ok := l.world("pids", "pids.limit"); ok {
		l.add("pids", "pids.max", value)
	}
}

// hugetlb limits reservations too where the kernel can: an mmap beyond the
// limit then fails by itself instead of ending in a SIGBUS later.
func (l *lister) hugetlb(p specs.LinuxHugepageLimit) {
	v2, ok := l.world("hugetlb", "hugepageLimits")
	if !ok {
		return
	}
	suffix := ".limit_in_bytes"
	if v2 {
		suffix = ".max"
	}
	value := strconv.FormatUint(p.Limit, 10)
	l.add("hugetlb", "hugetlb."+p.Pagesize+suffix, value)
	l.list = append(l.list, setting{controller: "hugetlb", file: "hugetlb." + p.Pagesize + ".rsvd" + suffix, value: value, optional: true})
}

func (l *lister) rdma(device string, r specs.LinuxRdma) {
	value := device
	if r.HcaHandles != nil {
		value += " hca_handle=" + strconv.FormatUint(uint64(*r.HcaHandles), 10)
	}
	if r.HcaObjects != nil {
		value += " hca_object=" + strconv.FormatUint(uint64(*r.HcaObjects), 10)
	}
	if _, ok := l.world("rdma", "rdma"); ok && value != device {
		l.add("rdma", "rdma.max", value)
	}
}

// network marks packets for tc(8); on cgroup2 nftables and eBPF match the
// cgroup itself instead.
func (l *lister) network(n *specs.LinuxNetwork) {
	instead := func(c, name string) bool {
		if l.h.V1[c] != "" {
			return true
		}
		if l.h.Mode() == V2 {
			l.onlyV1(name, "match the cgroup in nftables instead")
		} else {
			l.fail(ErrNoController{Name: c, For: name})
		}
		return false
	}
	if n.ClassID != nil && instead("net_cls", "network.classID") {
		l.add("net_cls", "net_cls.classid", strconv.FormatUint(uint64(*n.ClassID), 10))
	}
	for _, p := range n.Priorities {
		if instead("net_prio", "network.priorities") {
			l.add("net_prio", "net_prio.ifpriomap", p.Name+" "+strconv.FormatUint(uint64(p.Priority), 10))
		}
	}
}

// membership are the files of a cgroup by which processes are moved or the
// tree is arranged. That is our work, not a resource.
var membership = []string{
	"cgroup.procs", "cgroup.threads", "cgroup.type", "cgroup.subtree_control", "cgroup.kill", "cgroup.freeze",
}

// core stands in place of a controller for files that every cgroup2 directory
// has, such as cgroup.max.depth.
const core = "cgroup"

// unified takes a cgroup2 file as it is.
func (l *lister) unified(file, value string) {
	name := "unified." + file
	controller, _, _ := strings.Cut(file, ".")
	switch {
	case l.h.Unified == "":
		l.fail(ErrNoSetting{Name: name, Why: "cgroup v2 is not mounted here"})
	case strings.Contains(file, "/") || controller == file || slices.Contains(membership, file):
		l.fail(ErrNoSetting{Name: name, Why: "this is no file that sets a resource"})
	case controller != core && l.h.V1[controller] != "":
		l.fail(fmt.Errorf("invalid configuration: %w", ErrNoSetting{Name: name, Why: "the " + controller + " controller is cgroup v1's here"}))
	case controller != core && !l.h.Unifies(controller):
		l.fail(ErrNoController{Name: controller, For: name})
	default:
		l.add(controller, file, value)
	}
}

func decimal(v int64) string { return strconv.FormatInt(v, 10) }

// number reads a kernel's decimal number; "max" and nonsense are told apart by
// the callers that care.
func number(s string) int64 {
	v, _ := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return v
}
