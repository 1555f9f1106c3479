package cgroup

import "fmt"

// ErrNoController is a limit that nothing on this machine can hold.
type ErrNoController struct {
	Name string // the controller: "memory", or "cgroup" when nothing is mounted at all
	For  string // the setting that wants it: "memory.limit"
}

func (e ErrNoController) Error() string {
	if e.Name == anything {
		return "no cgroup hierarchy is mounted (mount -t cgroup2 none " + usual + ")"
	}
	return fmt.Sprintf("%s: this machine has no %s controller (neither in cgroup2's cgroup.controllers nor as a v1 hierarchy)", e.For, e.Name)
}

// anything stands for any hierarchy at all.
const anything = "cgroup"

// ErrNoSetting is a setting that the controller has in the other world only.
type ErrNoSetting struct {
	Name string // as the OCI specification calls it: "memory.swappiness"
	Why  string
}

func (e ErrNoSetting) Error() string { return e.Name + ": " + e.Why }
