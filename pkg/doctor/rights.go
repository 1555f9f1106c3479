package doctor

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
)

func root(x *examination) {
	if os.Geteuid() == 0 {
		x.add(OK, "root", "yes", "", "")
		return
	}
	x.add(Missing, "root", fmt.Sprintf("uid %d", os.Geteuid()),
		"minictr makes namespaces, mounts and links, which only root may", "run it with sudo")
}

// right is a capability and what does not work without it.
type right struct {
	cap         capability.Cap
	level       Level // of lacking it
	consequence string
}

var needed = []right{
	{sysAdmin, Missing, "no namespaces and no mounts: no container"},
	{netAdmin, Missing, "no bridge and no firewall rules: containers run with --network none or host only"},
	{unix.CAP_SETPCAP, Missing, "a container's capabilities cannot be bounded"},
	{unix.CAP_SETGID, Missing, "a container's groups cannot be set"},
	{unix.CAP_SETUID, Missing, "no container can run as another user than root"},
	{unix.CAP_MKNOD, Missing, "/dev/null and its neighbours cannot be made in a container"},
	{unix.CAP_CHOWN, Missing, "images cannot be unpacked with their files' owners"},
	{unix.CAP_DAC_OVERRIDE, Missing, "files of other users in images and volumes cannot be worked with"},
	{unix.CAP_FOWNER, Missing, "images cannot be unpacked with their files' modes and times"},
	{unix.CAP_FSETID, Warn, "set-group-id bits of images get lost"},
	{unix.CAP_SETFCAP, Warn, "images with file capabilities (ping, for one) cannot be unpacked"},
	{unix.CAP_SYS_CHROOT, Warn, "exec cannot enter a container's file tree"},
	{unix.CAP_SYS_PTRACE, Warn, "no container can have a terminal (-t), for it cannot be fetched from there"},
	{unix.CAP_KILL, Warn, "containers of other users cannot be stopped"},
	{unix.CAP_SYS_RESOURCE, Warn, "--ulimit cannot raise a hard limit, and oom_score_adj cannot be lowered"},
	{unix.CAP_NET_RAW, Warn, "containers get no raw sockets (ping), which docker's do"},
	{unix.CAP_NET_BIND_SERVICE, Warn, "containers with the host's network get no ports below 1024, which docker's do"},
	{unix.CAP_AUDIT_WRITE, Warn, "containers cannot write to the audit log, which docker's can"},
}

// rights looks for the capabilities that root usually has and a container's
// root may lack.
func rights(x *examination) {
	lacking := 0
	for _, r := range needed {
		if x.can(r.cap) && x.own.Bounding.Has(r.cap) {
			continue
		}
		lacking++
		if os.Geteuid() != 0 {
			continue // one line for all of them is enough: see root
		}
		x.add(r.level, r.cap.String(), "not ours", r.consequence,
			"run on the machine itself, or give the surrounding container --cap-add "+r.cap.String())
	}
	switch {
	case lacking == 0:
		x.add(OK, "capabilities", fmt.Sprintf("all %d that minictr uses", len(needed)), "", "")
	case os.Geteuid() != 0:
		x.add(Missing, "capabilities", fmt.Sprintf("%d of the %d that minictr uses are not ours", lacking, len(needed)),
			"see above", "run it with sudo")
	}
}
