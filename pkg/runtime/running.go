package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/kernel"
	"minictr/pkg/members"
)

// LoadRunning is Load for [ExecPlan]: how the container was mounted and connected
// is over, and so is not read. Nor does encoding/json get to see a structure,
// which it would study first (see specfile.go), unless there is something in it
// that few containers have: an exec is over in less time than that takes.
func LoadRunning(bundle string) (*Config, error) {
	c := &Config{Bundle: bundle, Spec: new(specs.Spec)}
	err := readMembers(filepath.Join(bundle, "plan.json"), members.Table{
		"id": &c.ID, "runDir": &c.RunDir, "without": &c.Without, "other": &c.Other,
		"supervised": &c.Supervised, "noNewKeyring": &c.NoNewKeyring,
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return c, readMembers(filepath.Join(bundle, "config.json"), members.Table{
		"ociVersion": &c.Spec.Version, "domainname": &c.Spec.Domainname, "annotations": &c.Spec.Annotations,
		"root": func(r members.Reader) error {
			c.Spec.Root = new(specs.Root)
			return r.Object(members.Table{"path": &c.Spec.Root.Path, "readonly": &c.Spec.Root.Readonly})
		},
		"process": func(r members.Reader) error {
			c.Spec.Process = new(specs.Process)
			return r.Object(processMembers(c.Spec.Process))
		},
		"linux": func(r members.Reader) error {
			c.Spec.Linux = new(specs.Linux)
			return r.Object(c.linuxMembers(c.Spec.Linux))
		},
	})
}

// readMembers reads a file of one JSON object.
func readMembers(path string, t members.Table) error {
	text, err := kernel.Load(path)
	if err != nil {
		return err
	}
	if err := members.Read(text, t); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func processMembers(p *specs.Process) members.Table {
	return members.Table{
		"terminal": &p.Terminal, "consoleSize": &p.ConsoleSize, "args": &p.Args, "commandLine": &p.CommandLine, "env": &p.Env, "cwd": &p.Cwd,
		"user": func(r members.Reader) error {
			u := &p.User
			return r.Object(members.Table{"uid": &u.UID, "gid": &u.GID, "umask": &u.Umask, "additionalGids": &u.AdditionalGids, "username": &u.Username})
		},
		"capabilities": func(r members.Reader) error {
			c := new(specs.LinuxCapabilities)
			p.Capabilities = c
			return r.Object(members.Table{
				"bounding": &c.Bounding, "effective": &c.Effective, "inheritable": &c.Inheritable, "permitted": &c.Permitted, "ambient": &c.Ambient,
			})
		},
		"rlimits": &p.Rlimits, "noNewPrivileges": &p.NoNewPrivileges, "apparmorProfile": &p.ApparmorProfile, "oomScoreAdj": &p.OOMScoreAdj,
		"scheduler": &p.Scheduler, "selinuxLabel": &p.SelinuxLabel, "ioPriority": &p.IOPriority, "execCPUAffinity": &p.ExecCPUAffinity,
	}
}

func (c *Config) linuxMembers(l *specs.Linux) members.Table {
	return members.Table{
		"uidMappings": &l.UIDMappings, "gidMappings": &l.GIDMappings, "sysctl": &l.Sysctl, "cgroupsPath": &l.CgroupsPath,
		"namespaces": func(r members.Reader) error {
			return r.List(func() error {
				var n specs.LinuxNamespace
				err := r.Object(members.Table{"type": (*string)(&n.Type), "path": &n.Path})
				l.Namespaces = append(l.Namespaces, n)
				return err
			})
		},
		"resources": func(r members.Reader) error {
			l.Resources = new(specs.LinuxResources)
			return r.Object(resourcesMembers(l.Resources))
		},
		"seccomp": func(r members.Reader) error {
			err := r.Value(&c.seccomp)
			if string(c.seccomp) == "null" {
				c.seccomp = nil
			}
			return err
		},
		"devices": &l.Devices, "netDevices": &l.NetDevices, "rootfsPropagation": &l.RootfsPropagation,
		"maskedPaths": &l.MaskedPaths, "readonlyPaths": &l.ReadonlyPaths, "mountLabel": &l.MountLabel, "intelRdt": &l.IntelRdt,
		"memoryPolicy": &l.MemoryPolicy, "personality": &l.Personality, "timeOffsets": &l.TimeOffsets,
	}
}

func resourcesMembers(s *specs.LinuxResources) members.Table {
	return members.Table{
		"devices": func(r members.Reader) error {
			return r.List(func() error {
				var d specs.LinuxDeviceCgroup
				err := r.Object(members.Table{"allow": &d.Allow, "type": &d.Type, "major": &d.Major, "minor": &d.Minor, "access": &d.Access})
				s.Devices = append(s.Devices, d)
				return err
			})
		},
		"memory": &s.Memory, "cpu": &s.CPU, "pids": &s.Pids, "blockIO": &s.BlockIO, "hugepageLimits": &s.HugepageLimits,
		"network": &s.Network, "rdma": &s.Rdma, "unified": &s.Unified,
	}
}
