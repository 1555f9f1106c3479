package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/kernel"
)

// LoadRunning is Load for [ExecPlan]: how the container was mounted and connected
// is over, and so is not read. Nor does encoding/json get to see a structure,
// which it would study first (see specfile.go), unless there is something in it
// that few containers have: an exec is over in less time than that takes.
func LoadRunning(bundle string) (*Config, error) {
	c := &Config{Bundle: bundle, Spec: new(specs.Spec)}
	err := readMembers(filepath.Join(bundle, "plan.json"), members{
		"id": &c.ID, "runDir": &c.RunDir, "without": &c.Without, "other": &c.Other,
		"supervised": &c.Supervised, "noNewKeyring": &c.NoNewKeyring,
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return c, readMembers(filepath.Join(bundle, "config.json"), members{
		"ociVersion": &c.Spec.Version, "domainname": &c.Spec.Domainname, "annotations": &c.Spec.Annotations,
		"root": func(r reader) error {
			c.Spec.Root = new(specs.Root)
			return r.object(members{"path": &c.Spec.Root.Path, "readonly": &c.Spec.Root.Readonly})
		},
		"process": func(r reader) error {
			c.Spec.Process = new(specs.Process)
			return r.object(processMembers(c.Spec.Process))
		},
		"linux": func(r reader) error {
			c.Spec.Linux = new(specs.Linux)
			return r.object(c.linuxMembers(c.Spec.Linux))
		},
	})
}

// readMembers reads a file of one JSON object.
func readMembers(path string, m members) error {
	text, err := kernel.Load(path)
	if err != nil {
		return err
	}
	if err := readObject(text, m); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func processMembers(p *specs.Process) members {
	return members{
		"terminal": &p.Terminal, "consoleSize": &p.ConsoleSize, "args": &p.Args, "commandLine": &p.CommandLine, "env": &p.Env, "cwd": &p.Cwd,
		"user": func(r reader) error {
			u := &p.User
			return r.object(members{"uid": &u.UID, "gid": &u.GID, "umask": &u.Umask, "additionalGids": &u.AdditionalGids, "username": &u.Username})
		},
		"capabilities": func(r reader) error {
			c := new(specs.LinuxCapabilities)
			p.Capabilities = c
			return r.object(members{
				"bounding": &c.Bounding, "effective": &c.Effective, "inheritable": &c.Inheritable, "permitted": &c.Permitted, "ambient": &c.Ambient,
			})
		},
		"rlimits": &p.Rlimits, "noNewPrivileges": &p.NoNewPrivileges, "apparmorProfile": &p.ApparmorProfile, "oomScoreAdj": &p.OOMScoreAdj,
		"scheduler": &p.Scheduler, "selinuxLabel": &p.SelinuxLabel, "ioPriority": &p.IOPriority, "execCPUAffinity": &p.ExecCPUAffinity,
	}
}

func (c *Config) linuxMembers(l *specs.Linux) members {
	return members{
		"uidMappings": &l.UIDMappings, "gidMappings": &l.GIDMappings, "sysctl": &l.Sysctl, "cgroupsPath": &l.CgroupsPath,
		"namespaces": func(r reader) error {
			return r.list(func() error {
				var n specs.LinuxNamespace
				err := r.object(members{"type": &n.Type, "path": &n.Path})
				l.Namespaces = append(l.Namespaces, n)
				return err
			})
		},
		"resources": func(r reader) error {
			l.Resources = new(specs.LinuxResources)
			return r.object(resourcesMembers(l.Resources))
		},
		"seccomp": func(r reader) error {
			err := r.Decode(&c.seccomp)
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

func resourcesMembers(s *specs.LinuxResources) members {
	return members{
		"devices": func(r reader) error {
			return r.list(func() error {
				var d specs.LinuxDeviceCgroup
				err := r.object(members{"allow": &d.Allow, "type": &d.Type, "major": &d.Major, "minor": &d.Minor, "access": &d.Access})
				s.Devices = append(s.Devices, d)
				return err
			})
		},
		"memory": &s.Memory, "cpu": &s.CPU, "pids": &s.Pids, "blockIO": &s.BlockIO, "hugepageLimits": &s.HugepageLimits,
		"network": &s.Network, "rdma": &s.Rdma, "unified": &s.Unified,
	}
}
