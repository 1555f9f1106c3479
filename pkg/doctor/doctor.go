package doctor

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
)

// Options say what to examine besides the kernel. The zero value is the usual.
type Options struct {
	Root string // MINICTR_ROOT; "": /var/lib/minictr
	Run  string // MINICTR_RUN; "": /run/minictr
}

// Run examines this machine. It takes some tens of milliseconds, and leaves
// nothing behind. A check that ctx cuts short is untried.
func Run(ctx context.Context, o Options) Report {
	x := &examination{root: o.Root, run: o.Run}
	if x.root == "" {
		x.root = "/var/lib/minictr"
	}
	if x.run == "" {
		x.run = "/run/minictr"
	}
	x.own, _ = capability.Own() // none, where the kernel does not say: every check will show it
	for _, g := range groups {
		x.group = g.name
		for _, check := range g.checks {
			if err := ctx.Err(); err != nil {
				x.add(Untried, "the rest", "there was no time: "+err.Error(), "", "")
				return x.Report
			}
			check(x)
		}
	}
	return x.Report
}

// groups are the checks, in the order in which a container meets them.
var groups = []struct {
	name   string
	checks []func(*examination)
}{
	{"this machine", []func(*examination){version, surroundings, clock}},
	{"rights", []func(*examination){root, rights}},
	{"namespaces", []func(*examination){namespaces, namespaceLimits}},
	{"processes", []func(*examination){births, descriptors, noNewPrivs}},
	{"mounts", []func(*examination){mountCalls, fileSystems, overlayMount, idmapped, mappedLayers}},
	{"storage", []func(*examination){storage}},
	{"cgroups", []func(*examination){hierarchies, controllers, groupFeatures, deviceFilter}},
	{"security", []func(*examination){seccompFilter, seccompFlags, modules}},
	{"network", []func(*examination){links, firewall, forwarding, bridgeFilter, addresses}},
	{"limits", []func(*examination){processLimits, kernelLimits}},
	{"neighbours", []func(*examination){engines}},
}

// examination is a report under way.
type examination struct {
	Report
	group     string
	root, run string
	own       capability.Sets
}

func (x *examination) add(l Level, name, found, consequence, fix string) {
	if l == OK || l == Info {
		consequence, fix = "", ""
	}
	x.Findings = append(x.Findings, Finding{x.group, name, l, found, consequence, fix})
}

// can reports whether this process may do what needs a capability.
func (x *examination) can(c capability.Cap) bool { return x.own.Effective.Has(c) }

// Capabilities that decide what can be tried.
const (
	sysAdmin = capability.Cap(unix.CAP_SYS_ADMIN)
	netAdmin = capability.Cap(unix.CAP_NET_ADMIN)
)

// mayTry notes a check as untried when the right for it is missing.
func (x *examination) mayTry(c capability.Cap, name string) bool {
	if x.can(c) {
		return true
	}
	x.add(Untried, name, "trying it needs "+c.String(), "", "")
	return false
}

// tried adds the finding of an attempt: fine, or bad with the kernel's answer.
func (x *examination) tried(err error, bad Level, name, good, consequence, fix string) bool {
	if err != nil {
		x.add(bad, name, answer(err), consequence, fix)
		return false
	}
	x.add(OK, name, good, "", "")
	return true
}

// existing is the deepest directory of path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == "/" {
			return path
		}
		path = filepath.Dir(path)
	}
}
