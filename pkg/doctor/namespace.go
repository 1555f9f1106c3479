package doctor

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// kinds are the namespaces, with what depends on each.
var kinds = []struct {
	name        string
	flag        kernel.CloneFlags
	level       Level // of lacking it
	consequence string
	config      string // kernel configuration option
}{
	{"mnt", unix.CLONE_NEWNS, Missing, "a container would have the host's file tree", "CONFIG_NAMESPACES"},
	{"pid", unix.CLONE_NEWPID, Missing, "a container would see and signal the host's processes", "CONFIG_PID_NS"},
	{"net", unix.CLONE_NEWNET, Missing, "a container would have the host's network", "CONFIG_NET_NS"},
	{"uts", unix.CLONE_NEWUTS, Missing, "a container would rename the host", "CONFIG_UTS_NS"},
	{"ipc", unix.CLONE_NEWIPC, Missing, "a container would share the host's shared memory and queues", "CONFIG_IPC_NS"},
	{"cgroup", unix.CLONE_NEWCGROUP, Missing, "a container would see the host's cgroups", "CONFIG_CGROUPS"},
	{"user", unix.CLONE_NEWUSER, Warn, "root in a container is always root outside too: no mapping of users", "CONFIG_USER_NS"},
	{"time", unix.CLONE_NEWTIME, Info, "", "CONFIG_TIME_NS"},
}

// namespaces makes one of each. Without root a user namespace of our own gives
// the right to make the others.
func namespaces(x *examination) {
	for _, k := range kinds {
		flags, good := k.flag, "can be made"
		if !x.can(sysAdmin) {
			flags |= unix.CLONE_NEWUSER
			good = "can be made inside of a user namespace"
		}
		fix := "a kernel with " + k.config
		err := try(flags)
		if err != nil && k.level == Info {
			x.add(Info, k.name, "cannot be made ("+answer(err)+"); minictr does not need it", "", "")
			continue
		}
		if err != nil && k.flag == unix.CLONE_NEWUSER {
			fix = userFix()
		}
		x.tried(err, k.level, k.name, good, k.consequence, fix)
	}
}

// userFix names the setting that most often forbids user namespaces.
func userFix() string {
	for _, s := range []struct{ path, bad, set string }{
		{"kernel/unprivileged_userns_clone", "0", "1"},
		{"user/max_user_namespaces", "0", "10000"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1", "0"},
	} {
		if readWord("/proc/sys/"+s.path) == s.bad {
			return "sysctl -w " + strings.ReplaceAll(s.path, "/", ".") + "=" + s.set
		}
	}
	return "a kernel with CONFIG_USER_NS"
}

// fewNamespaces is a limit that a machine with containers soon reaches.
const fewNamespaces = 100

// namespaceLimits looks at how many namespaces a user may have.
func namespaceLimits(x *examination) {
	files, _ := filepath.Glob("/proc/sys/user/max_*_namespaces")
	least, where := math.MaxInt, ""
	for _, f := range files {
		if n, err := strconv.Atoi(readWord(f)); err == nil && n < least {
			least, where = n, filepath.Base(f)
		}
	}
	switch {
	case where == "":
		x.add(Info, "how many", "the kernel does not say", "", "")
	case least < fewNamespaces:
		x.add(Warn, "how many", fmt.Sprintf("user.%s is %d", where, least),
			"the next container after that many fails with ENOSPC", "sysctl -w user."+where+"=10000")
	default:
		x.add(OK, "how many", fmt.Sprintf("at least %d of each kind", least), "", "")
	}
}
