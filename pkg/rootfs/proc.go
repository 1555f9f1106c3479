package rootfs

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// procFiles are the files below /proc that a mount may cover: what lxcfs shows
// in their place is the container's share of the machine.
var procFiles = map[string]bool{
	"cpuinfo": true, "diskstats": true, "loadavg": true, "meminfo": true, "slabinfo": true, "stat": true, "swaps": true, "uptime": true,
	"sys/kernel/ns_last_pid": true, "sys/crypto/fips_enabled": true,
}

// checkProc refuses mounts that would make /proc say something else than the
// kernel does. Programs, and we, believe what they read there and rely on what
// they write there: a fake /proc/self/attr was once enough to lose an AppArmor
// profile (CVE-2019-16884, CVE-2025-52881).
func (m Mount) checkProc() error {
	switch name, inside := strings.CutPrefix(m.Destination, "/proc/"); {
	case inside && !procFiles[name]:
		return fmt.Errorf("mount %s: it cannot be mounted because it is inside /proc", m.Destination)
	case m.Destination == "/proc" && m.Type != "proc" && !m.showsProc():
		return fmt.Errorf("mount %s: it cannot be mounted because it is not of type proc", m.Destination)
	}
	return nil
}

// showsProc: another proc file system, such as the host's, is one too.
func (m Mount) showsProc() bool {
	var fs unix.Statfs_t
	return m.bind && (unix.Statfs(m.Source, &fs) != nil || fs.Type == unix.PROC_SUPER_MAGIC)
}
