package capability

import (
	"fmt"
	"strings"
)

// Default is what docker leaves a container.
const Default = Set(1<<0 | // CAP_CHOWN
	1<<1 | // CAP_DAC_OVERRIDE
	1<<3 | // CAP_FOWNER
	1<<4 | // CAP_FSETID
	1<<5 | // CAP_KILL
	1<<6 | // CAP_SETGID
	1<<7 | // CAP_SETUID
	1<<8 | // CAP_SETPCAP
	1<<10 | // CAP_NET_BIND_SERVICE
	1<<13 | // CAP_NET_RAW
	1<<18 | // CAP_SYS_CHROOT
	1<<27 | // CAP_MKNOD
	1<<29 | // CAP_AUDIT_WRITE
	1<<31) // CAP_SETFCAP

// Resolve is docker's reading of --cap-add, --cap-drop and --privileged. Names
// come with or without CAP_ and in any case; ALL stands for available, which
// is what this process can give (see [Sets.Available]) and which limits every
// answer.
//
//   - privileged: all, whatever else is said;
//   - ALL added: all but the dropped ones;
//   - ALL dropped: the added ones;
//   - else the default set without the dropped ones, and then the added ones.
//
// A name that is not known, or not available and added, is an error.
func Resolve(add, drop []string, privileged bool, available Set) (Set, error) {
	added, addAll, err := parseList(add)
	if err != nil {
		return 0, fmt.Errorf("invalid CapAdd: %w", err)
	}
	if missing := added &^ available; missing != 0 && !privileged {
		return 0, fmt.Errorf("invalid CapAdd: capability not supported by your kernel or not available in the current environment: %s", missing)
	}
	dropped, dropAll, err := parseList(drop)
	if err != nil {
		return 0, fmt.Errorf("invalid CapDrop: %w", err)
	}
	switch {
	case privileged:
		return available, nil
	case addAll:
		return available &^ dropped, nil
	case dropAll:
		return added, nil
	}
	return (Default&^dropped | added) & available, nil
}

func parseList(list []string) (s Set, all bool, err error) {
	for _, name := range list {
		name = strings.ToUpper(name)
		if name == "ALL" {
			all = true
			continue
		}
		if !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		c, ok := parseCap(name)
		if !ok {
			return 0, false, fmt.Errorf("unknown capability: %q", name)
		}
		s |= Of(c)
	}
	return s, all, nil
}
