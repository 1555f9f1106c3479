package capability

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Cap is the number of a capability (include/uapi/linux/capability.h).
type Cap uint8

// names in the order of their numbers. A kernel may know more than we do;
// those have no name, and only --privileged and ALL ever include them.
var names = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// String is the kernel's name, or "CAP_41" for one that we do not know.
func (c Cap) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return "CAP_" + strconv.Itoa(int(c))
}

// parseCap finds a capability by the name that String gives it.
func parseCap(name string) (Cap, bool) {
	for i, n := range names {
		if n == name {
			return Cap(i), true
		}
	}
	digits, _ := strings.CutPrefix(name, "CAP_")
	n, err := strconv.ParseUint(digits, 10, 6) // the sets have 64 bits
	if err != nil || int(n) < len(names) || name != Cap(n).String() {
		return 0, false
	}
	return Cap(n), true
}

// Set is a set of capabilities, a bit for each, as the kernel keeps it.
type Set uint64

// Of is the set of these capabilities.
func Of(list ...Cap) Set {
	var s Set
	for _, c := range list {
		s |= 1 << c
	}
	return s
}

// Has reports whether c is in s.
func (s Set) Has(c Cap) bool { return s>>c&1 == 1 }

// List is the members of s by number.
func (s Set) List() []Cap {
	list := make([]Cap, 0, bits.OnesCount64(uint64(s)))
	for ; s != 0; s &= s - 1 {
		list = append(list, Cap(bits.TrailingZeros64(uint64(s))))
	}
	return list
}

// Names is the members of s as config.json and docker spell them.
func (s Set) Names() []string {
	list := make([]string, 0, bits.OnesCount64(uint64(s)))
	for _, c := range s.List() {
		list = append(list, c.String())
	}
	return list
}

// String is "CAP_CHOWN,CAP_KILL", or "none".
func (s Set) String() string {
	if s == 0 {
		return "none"
	}
	return strings.Join(s.Names(), ",")
}

// strace prints a set the way strace does.
func strace(s uint64) string {
	if s == 0 {
		return "0"
	}
	terms := Set(s).Names()
	for i := range terms {
		terms[i] = "1<<" + terms[i]
	}
	return strings.Join(terms, "|")
}

// parseHex reads a set as /proc/<pid>/status shows it.
func parseHex(s string) (Set, error) {
	v, err := strconv.ParseUint(strings.TrimSpace(s), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("read a set of capabilities: %w", err)
	}
	return Set(v), nil
}
