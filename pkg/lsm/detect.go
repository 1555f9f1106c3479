package lsm

import (
	"io/fs"
	"os"
	"strings"
)

// Modules says what the running kernel enforces.
type Modules struct {
	AppArmor  bool     // enabled; profiles may be loaded
	SELinux   bool     // enabled and its file system mounted
	Enforcing bool     // SELinux forbids, and does not only log
	Active    []string // all modules by name, nil where securityfs is not mounted
}

// Detect asks the kernel for its security modules.
func Detect() Modules { return detect(os.DirFS("/")) }

func detect(root fs.FS) Modules {
	read := func(path string) string {
		b, _ := fs.ReadFile(root, path) // not there: not enabled
		return strings.TrimSpace(string(b))
	}
	m := Modules{AppArmor: read("sys/module/apparmor/parameters/enabled") == "Y"}
	if enforce := read("sys/fs/selinux/enforce"); enforce != "" {
		m.SELinux, m.Enforcing = true, enforce == "1"
	}
	if list := read("sys/kernel/security/lsm"); list != "" {
		m.Active = strings.Split(list, ",")
	}
	return m
}
