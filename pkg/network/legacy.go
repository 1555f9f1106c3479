package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Hosts that have not moved to nftables filter with the kernel's older tables,
// which can only be read and replaced as a whole. We read them ourselves, to
// know cheaply whether they would drop our packets; rules are put in and taken
// out by the host's own program, which knows how not to lose anybody's.

// legacyFilter is what the old filter table does to our packets.
type legacyFilter struct {
	drops    bool // chain FORWARD has policy drop
	in, from int  // rules of ours in that chain: into containers, and from them
}

// legacyRules are count rules for each direction as iptables-restore reads them.
func (n *Network) legacyRules(command string, in, from int) []byte {
	var b strings.Builder
	b.WriteString("*filter\n")
	rule := func(flag string, count int) {
		for range count {
			fmt.Fprintf(&b, "%s FORWARD %s %s -m comment --comment %s -j ACCEPT\n", command, flag, n.Bridge, n.Table)
		}
	}
	rule("-o", in)
	rule("-i", from)
	b.WriteString("COMMIT\n")
	return []byte(b.String())
}

// legacyProgram runs iptables-restore, which waits for others that are at it.
func (n *Network) legacyProgram(path string, rules []byte) *step.Program {
	return &step.Program{
		Calls: []kernel.Call{
			kernel.Dup3(kernel.FD(step.StdinSlot), 0, false),
			kernel.CloseRange(3, unix.CLOSE_RANGE_CLOEXEC),
			kernel.Execve(path, []string{filepath.Base(path), "--noflush", "--wait", "5"}, nil),
		},
		Stdin:   func(int) []byte { return rules },
		Timeout: 10 * time.Second,
	}
}

// legacyRestore finds the program that fills the old tables: under its own name
// where the plain one works on nftables. It is "" if there is none.
func legacyRestore() string {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"} {
		if path := dir + "/iptables-legacy-restore"; unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		path := dir + "/iptables-restore"
		if real, err := filepath.EvalSymlinks(path); err == nil && !strings.Contains(real, "nft") {
			return path
		}
	}
	return ""
}

// readLegacy asks what the old filter table does. It must not ask where there
// is none, since that would make one.
func (n *Network) readLegacy() (legacyFilter, error) {
	names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	if errors.Is(err, fs.ErrNotExist) || err == nil && !strings.Contains("\n"+string(names), "\nfilter\n") {
		return legacyFilter{}, nil
	}
	if err != nil {
		return legacyFilter{}, fmt.Errorf("ask for legacy iptables: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return legacyFilter{}, fmt.Errorf("open a socket for legacy iptables: %w", err)
	}
	defer unix.Close(fd)
	info := make([]byte, iptInfoLen)
	copy(info, "filter")
	if err := getsockopt(fd, iptGetInfo, info); err != nil {
		return legacyFilter{}, fmt.Errorf("read the legacy filter table: %w", err)
	}
	entries := make([]byte, iptEntriesHead+native32(info, iptInfoSize))
	copy(entries, "filter")
	binary.NativeEndian.PutUint32(entries[iptNameLen:], native32(info, iptInfoSize))
	if err := getsockopt(fd, iptGetEntries, entries); err != nil {
		return legacyFilter{}, fmt.Errorf("read the legacy filter table: %w", err)
	}
	return parseLegacy(info, entries[iptEntriesHead:], n.Table), nil
}

func getsockopt(fd, option int, b []byte) error {
	n := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_IP, uintptr(option),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Offsets in the structures of linux/netfilter_ipv4/ip_tables.h: ipt_getinfo,
// ipt_get_entries, ipt_entry, xt_entry_match and xt_standard_target.
const (
	iptGetInfo, iptGetEntries = 64, 65 // socket options

	iptNameLen      = 32
	iptInfoEntry    = 36 // where the chain of each hook begins
	iptInfoPolicy   = 56 // where its policy stands, behind its last rule
	iptInfoSize     = 80
	iptInfoLen      = 84
	iptEntriesHead  = 40
	iptInInterface  = 16
	iptTargetOffset = 88
	iptNextOffset   = 90
	iptEntryLen     = 112
	xtName          = 2
	xtData          = 32
	hookForward     = 2
)

// parseLegacy reads a table: the policy of FORWARD, and how many rules of the
// chain have the comment tag, by whether they name the interface of arrival.
func parseLegacy(info, entries []byte, tag string) (f legacyFilter) {
	if len(info) < iptInfoLen {
		return f
	}
	at := native32(info, iptInfoEntry+4*hookForward)
	policy := native32(info, iptInfoPolicy+4*hookForward)
	for uint64(at)+iptEntryLen <= uint64(len(entries)) {
		e := entries[at:]
		target, next := uint32(native16(e, iptTargetOffset)), uint32(native16(e, iptNextOffset))
		if next < iptEntryLen || int(next) > len(e) || target < iptEntryLen || target > next {
			return f
		}
		if at == policy {
			f.drops = int(target)+xtData+4 <= len(e) && int32(native32(e, int(target)+xtData)) == -1 // NF_DROP
			return f
		}
		if legacyComment(e[iptEntryLen:target]) == tag {
			if e[iptInInterface] != 0 {
				f.from++
			} else {
				f.in++
			}
		}
		at += next
	}
	return f
}

// legacyComment finds the comment among the matches of a rule.
func legacyComment(matches []byte) string {
	for len(matches) > xtData {
		size := int(native16(matches, 0))
		if size <= xtData || size > len(matches) {
			return ""
		}
		if cString(matches[xtName:xtData]) == "comment" {
			return cString(matches[xtData:size])
		}
		matches = matches[size:]
	}
	return ""
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func native32(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
func native16(b []byte, at int) uint16 { return binary.NativeEndian.Uint16(b[at:]) }

// unlegacy takes our rules out of the old table, as often as they are in it.
func (n *Network) unlegacy() error {
	f, err := n.readLegacy()
	if err != nil || f.in+f.from == 0 {
		return err
	}
	path := legacyRestore()
	if path == "" {
		return errors.New("remove rules from the legacy filter table: no iptables-legacy-restore on this host any more")
	}
	if err := n.legacyProgram(path, n.legacyRules("-D", f.in, f.from)).Run(0); err != nil {
		return fmt.Errorf("remove rules from the legacy filter table: %w", err)
	}
	return nil
}
