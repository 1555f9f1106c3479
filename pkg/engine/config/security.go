package config

import (
	"fmt"
	"os"
	"strings"
)

// SecurityOption applies one --security-opt value. read gets a seccomp
// profile's text from its path.
func (c *Security) SecurityOption(s string, read func(path string) ([]byte, error)) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		key, value, ok = strings.Cut(s, ":") // docker's old spelling
	}
	switch {
	case key == "no-new-privileges" && (!ok || value == "true"):
		c.NoNewPrivileges = true
	case key == "no-new-privileges" && value == "false":
		c.NoNewPrivileges = false
	case key == "seccomp" && ok:
		return c.seccomp(value, read)
	case key == "apparmor" && ok:
		c.AppArmor = value
	case key == "systempaths" && value == "unconfined":
		c.Unmasked = true
	case key == "label" && value == "disable": // SELinux is not used, so it is off already
	case key == "label" && ok, key == "writable-cgroups":
		return fmt.Errorf("--security-opt %s is not supported yet", key)
	default:
		return fmt.Errorf("invalid --security-opt %q", s)
	}
	return nil
}

func (c *Security) seccomp(value string, read func(string) ([]byte, error)) error {
	if value == "unconfined" || value == "builtin" {
		c.Seccomp = strings.TrimPrefix(value, "builtin")
		return nil
	}
	if read == nil {
		read = os.ReadFile
	}
	profile, err := read(value)
	if err != nil {
		return fmt.Errorf("read the seccomp profile: %w", err)
	}
	c.Seccomp = string(profile)
	return nil
}

// ParseCapability reads a capability's name, with or without CAP_, in any
// case; ALL is one too.
func ParseCapability(s string) (string, error) {
	name := strings.ToUpper(s)
	if name == "ALL" || name == "CAP_ALL" {
		return "ALL", nil
	}
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	for _, known := range Capabilities {
		if name == known {
			return name, nil
		}
	}
	return "", fmt.Errorf("invalid capability %q: see capabilities(7)", s)
}

// Capabilities are all that Linux knows, in the order of their numbers.
var Capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}
