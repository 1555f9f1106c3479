package rootfs

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// options are the mount options of one OCI mount, sorted by what becomes of
// them (runtime-spec config.md, "Linux mount options").
type options struct {
	bind        bool
	recursive   bool // rbind
	set, clear  kernel.MountAttrs
	implied     kernel.MountAttrs // of a bind mount: cleared because another one is named
	rset        kernel.MountAttrs // rro and friends: for the mounts below too
	rclear      kernel.MountAttrs
	propagation []propagation
	copyUp      bool
	idmap       bool     // show files with other owners
	ridmap      bool     // those of the mounts below too
	data        []string // for the file system itself

	sourceNoFollow, destNoFollow, copyLink bool // what becomes of links: options of crun
}

type propagation struct {
	flag      kernel.MountFlags
	recursive bool
}

var attrs = map[string]kernel.MountAttrs{
	"ro": unix.MOUNT_ATTR_RDONLY, "nosuid": unix.MOUNT_ATTR_NOSUID, "nodev": unix.MOUNT_ATTR_NODEV,
	"noexec": unix.MOUNT_ATTR_NOEXEC, "noatime": unix.MOUNT_ATTR_NOATIME, "strictatime": unix.MOUNT_ATTR_STRICTATIME,
	"nodiratime": unix.MOUNT_ATTR_NODIRATIME, "nosymfollow": unix.MOUNT_ATTR_NOSYMFOLLOW,
}

var cleared = map[string]kernel.MountAttrs{
	"rw": unix.MOUNT_ATTR_RDONLY, "suid": unix.MOUNT_ATTR_NOSUID, "dev": unix.MOUNT_ATTR_NODEV,
	"exec": unix.MOUNT_ATTR_NOEXEC, "diratime": unix.MOUNT_ATTR_NODIRATIME, "symfollow": unix.MOUNT_ATTR_NOSYMFOLLOW,
	"atime": unix.MOUNT_ATTR_NOATIME, "relatime": unix.MOUNT_ATTR_NOATIME | unix.MOUNT_ATTR_STRICTATIME,
	"norelatime": 0, "nostrictatime": unix.MOUNT_ATTR_STRICTATIME,
}

var propagations = map[string]propagation{
	"private": {unix.MS_PRIVATE, false}, "rprivate": {unix.MS_PRIVATE, true},
	"slave": {unix.MS_SLAVE, false}, "rslave": {unix.MS_SLAVE, true},
	"shared": {unix.MS_SHARED, false}, "rshared": {unix.MS_SHARED, true},
	"unbindable": {unix.MS_UNBINDABLE, false}, "runbindable": {unix.MS_UNBINDABLE, true},
}

// superblock are flags that fsconfig takes by these names for any file system.
var superblock = map[string]bool{
	"sync": true, "async": true, "dirsync": true, "mand": true, "nomand": true, "lazytime": true, "nolazytime": true, "silent": true, "loud": true,
}

// lockable are the attributes that a bind mount in a user namespace keeps from
// its source unless they are named: those by which the host restricts it
// (mount_namespaces(7)).
const lockable = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

func parseOptions(m specs.Mount) options {
	o := options{bind: m.Type == "bind"}
	named := false
	for _, opt := range m.Options {
		_, isAttr := attrs[opt]
		_, isCleared := cleared[opt]
		p, isPropagation := propagations[opt]
		switch {
		case opt == "bind":
			o.bind = true
		case opt == "rbind":
			o.bind, o.recursive = true, true
		case opt == "defaults" || opt == "remount":
		case opt == "src-nofollow":
			o.sourceNoFollow = true
		case opt == "dest-nofollow":
			o.destNoFollow = true
		case opt == "copy-symlink":
			o.copyLink = true
		case opt == "tmpcopyup":
			o.copyUp = true
		case opt == "idmap" || opt == "ridmap":
			o.idmap, o.ridmap = true, opt == "ridmap"
		case isAttr:
			named = true
			o.set |= attrs[opt]
			o.clear &^= attrs[opt]
		case isCleared:
			named = true
			o.clear |= cleared[opt]
			o.set &^= cleared[opt]
		case isPropagation:
			o.propagation = append(o.propagation, p)
		case strings.HasPrefix(opt, "r") && attrs[opt[1:]] != 0:
			o.rset |= attrs[opt[1:]]
		case opt == "rnorelatime":
			o.rclear |= unix.MOUNT_ATTR__ATIME // relatime is the kernel's choice if nothing is said
		case strings.HasPrefix(opt, "r") && cleared[opt[1:]] != 0:
			o.rclear |= cleared[opt[1:]]
		case superblock[opt] && o.bind:
			// a bind mount shares the superblock and cannot change it
		default:
			o.data = append(o.data, opt)
		}
	}
	// mount(2) has no way to change one attribute and leave the others: who named
	// one has always got exactly those that he named, and relies on that.
	if named && o.bind {
		o.implied = (lockable | unix.MOUNT_ATTR_NOSYMFOLLOW) &^ (o.set | o.clear)
	}
	// An access time policy is a field, not a bit: to set or change it the
	// kernel wants the whole field cleared in the same call.
	const atime = unix.MOUNT_ATTR__ATIME
	if (o.set|o.clear)&atime != 0 && o.bind {
		o.clear |= atime
	}
	if (o.rset|o.rclear)&atime != 0 {
		o.rclear |= atime
	}
	return o
}

// fsAttrs are the attributes for fsmount, which starts from none.
func (o options) fsAttrs() kernel.MountAttrs { return o.set | o.rset }
