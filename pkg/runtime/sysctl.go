package runtime

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/namespace"
)

// ipcSysctls are the settings below kernel. that belong to an ipc namespace.
var ipcSysctls = map[string]bool{
	"kernel.msgmax": true, "kernel.msgmnb": true, "kernel.msgmni": true, "kernel.sem": true, "kernel.shmall": true,
	"kernel.shmmax": true, "kernel.shmmni": true, "kernel.shm_rmid_forced": true,
}

// checkSysctls refuses settings that are not the container's own. Most of
// /proc/sys is the machine's, and which parts are not depends on the namespaces:
// root in a container that changed the others would change the host.
func checkSysctls(s *specs.Spec, ns namespace.Set) error {
	for key, value := range s.Linux.Sysctl {
		kind, name := sysctlNamespace(dotted(key))
		switch {
		case strings.IndexByte(value, 0) >= 0 || hasOddPart(dotted(key)):
			return fmt.Errorf("sysctl %q: there is no such setting", key)
		case dotted(key) == "kernel.hostname":
			return fmt.Errorf("sysctl %q is not allowed as it conflicts with the OCI %q field", key, "hostname")
		case dotted(key) == "kernel.domainname" && s.Domainname != "" && s.Domainname != value:
			return fmt.Errorf("sysctl %q is not allowed as it conflicts with the OCI %q field", key, "domainname")
		case kind == 0:
			return fmt.Errorf("sysctl %q is not in a separate kernel namespace", key)
		case !separate(ns, kind):
			return fmt.Errorf("sysctl %q is not allowed in the host's %s namespace", key, name)
		}
	}
	return nil
}

// sysctlNamespace is the kind of namespace that a setting belongs to, 0 if none.
func sysctlNamespace(key string) (kind kernel.CloneFlags, name string) {
	switch {
	case ipcSysctls[key] || strings.HasPrefix(key, "fs.mqueue."):
		return unix.CLONE_NEWIPC, "ipc"
	case strings.HasPrefix(key, "net."):
		return unix.CLONE_NEWNET, "network"
	case key == "kernel.domainname":
		return unix.CLONE_NEWUTS, "uts"
	case strings.HasPrefix(key, "user."):
		return unix.CLONE_NEWUSER, "user"
	}
	return 0, ""
}

// separate reports whether the container has another namespace of this kind
// than we have: a new one, or one that it joins and that is not ours.
func separate(ns namespace.Set, kind kernel.CloneFlags) bool {
	for _, j := range ns.Join {
		if j.Flag == kind {
			return !j.Ours()
		}
	}
	return ns.Has(kind)
}

// dotted is a setting's name with dots between its parts. Written with slashes,
// as sysctl(8) allows too, a part may hold dots: net/ipv4/conf/eth0.1/forwarding.
func dotted(key string) string {
	if i := strings.IndexAny(key, "./"); i < 0 || key[i] == '.' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// hasOddPart finds empty parts, and "." and ".." (which are "/" and "//" here).
func hasOddPart(key string) bool {
	for part := range strings.SplitSeq(key, ".") {
		if strings.Trim(part, "/") == "" {
			return true
		}
	}
	return false
}
