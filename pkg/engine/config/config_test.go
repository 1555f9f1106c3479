package config

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/network"
)

func TestSizesAreReadAsDockerReadsThem(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1024": 1024, "1b": 1, "256m": 256 << 20, "256M": 256 << 20, "1g": 1 << 30, "1GB": 1 << 30,
		"1.5g": 3 << 29, "1GiB": 1 << 30, "10kb": 10 << 10, "2t": 2 << 40, "32 MB": 32 << 20,
	} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "m", "-1", "-5m", "abc", "1x", "0x10", "inf", "nan", "1e400", "9999999999t", "1mm", ".5g", "ib"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", in, got)
		}
	}
}

func TestCPUsAreExact(t *testing.T) {
	for in, want := range map[string]int64{"1": 1e9, "1.5": 15e8, "0.1": 1e8, ".25": 25e7, "0": 0} {
		if got, err := ParseCPUs(in); err != nil || got != want {
			t.Errorf("ParseCPUs(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "1/2", "1e3", "two", "0.0000000001", "1_000", "99999999999999999999"} {
		if got, err := ParseCPUs(in); err == nil {
			t.Errorf("ParseCPUs(%q) = %d, want an error", in, got)
		}
	}
}

func TestVolumesAreReadAsDockerReadsThem(t *testing.T) {
	for in, want := range map[string]Mount{
		"/data":               {Type: Volume, Target: "/data", Anonymous: true},
		"data:/data":          {Type: Volume, Source: "data", Target: "/data"},
		"data:/data/:ro":      {Type: Volume, Source: "data", Target: "/data", ReadOnly: true},
		"data:/d:nocopy":      {Type: Volume, Source: "data", Target: "/d", NoCopy: true},
		"/host:/ctr":          {Type: Bind, Source: "/host", Target: "/ctr", CreateSource: true},
		"/h:/c:ro,rslave":     {Type: Bind, Source: "/h", Target: "/c", ReadOnly: true, Propagation: "rslave", CreateSource: true},
		"./rel:/x:z,cached":   {Type: Bind, Source: "./rel", Target: "/x", Relabel: true, CreateSource: true},
		"/host/../x:/ctr:rw":  {Type: Bind, Source: "/x", Target: "/ctr", CreateSource: true},
		"/h:/c/../../../etc/": {Type: Bind, Source: "/h", Target: "/etc", CreateSource: true},
	} {
		if got, err := ParseVolume(in); err != nil || got != want {
			t.Errorf("ParseVolume(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, why := range map[string]string{
		"":                    "must be absolute",
		"data":                "must be absolute",
		":/x":                 "nothing in front",
		"a b:/x":              "invalid volume name",
		"~/rel:/x":            "host path must be absolute",
		"a:/x":                "invalid volume name",
		"aa:/":                "nothing can be mounted over",
		"/a:/..":              "nothing can be mounted over",
		"/a:/b:bogus":         "unknown option",
		"aa:/b:ro,rw":         "exclude each other",
		"/a:/b:z,Z":           "exclude each other",
		"/a:/b:slave,rshared": "exclude each other",
		"aa:/b:rslave":        "unknown option",
		"/a:/b:nocopy":        "unknown option",
		"/a:/b:ro:x":          "want [SOURCE:]TARGET",
	} {
		if m, err := ParseVolume(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseVolume(%q) = %+v, %v; want an error with %q", in, m, err, why)
		}
	}
}

func TestMountsAreReadAsDockerReadsThem(t *testing.T) {
	for in, want := range map[string]Mount{
		"type=bind,source=/h,target=/c":                                             {Type: Bind, Source: "/h", Target: "/c"},
		"type=bind,src=/h,dst=/c,readonly":                                          {Type: Bind, Source: "/h", Target: "/c", ReadOnly: true},
		"src=/h,dst=/c,ro=false,type=bind":                                          {Type: Bind, Source: "/h", Target: "/c"},
		"source=vol,target=/c":                                                      {Type: Volume, Source: "vol", Target: "/c"},
		"target=/c":                                                                 {Type: Volume, Target: "/c", Anonymous: true},
		"type=tmpfs,target=/t,tmpfs-size=1m":                                        {Type: Tmpfs, Target: "/t", TmpfsSize: 1 << 20},
		"type=tmpfs,target=/t,tmpfs-mode=1770":                                      {Type: Tmpfs, Target: "/t", TmpfsMode: 0o1770},
		`type=bind,"source=/a,b",target=/c`:                                         {Type: Bind, Source: "/a,b", Target: "/c"},
		"type=bind,src=/h,dst=/c,bind-propagation=rslave":                           {Type: Bind, Source: "/h", Target: "/c", Propagation: "rslave"},
		"type=bind,src=/h,dst=/c,bind-nonrecursive":                                 {Type: Bind, Source: "/h", Target: "/c", NonRecursive: true},
		"type=volume,src=vv,dst=/c,volume-nocopy=true":                              {Type: Volume, Source: "vv", Target: "/c", NoCopy: true},
		"src=vv,dst=/c,volume-subpath=a/./b,consistency=cached,volume-driver=local": {Type: Volume, Source: "vv", Target: "/c", Subpath: "a/b"},
		"type=bind,src=/h,dst=/c,ro,bind-recursive=writable,bind-create-src":        {Type: Bind, Source: "/h", Target: "/c", ReadOnly: true, Below: "writable", CreateSource: true},
		"type=bind,src=/h,dst=/c,bind-recursive=disabled":                           {Type: Bind, Source: "/h", Target: "/c", NonRecursive: true},
	} {
		want.Words = true
		if got, err := ParseMount(in); err != nil || got != want {
			t.Errorf("ParseMount(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "type=bind,target=/c", "type=bind,source=/a", "type=what,target=/c", "type=bind,source=rel,target=/c",
		"type=bind,source=/a,target=rel", "type=tmpfs,source=/a,target=/c", "type=bind,source=/a,target=/c,tmpfs-size=1m",
		"type=volume,source=v,target=/c,bogus=1", "type=bind,source=/a,target=/c,readonly=maybe", `type=bind,"source=/a`,
		`type=bind,"source=/a"x,target=/c`, "type=tmpfs,target=/t,tmpfs-mode=9", "target=/c,volume-driver=nfs",
		"type=bind,source=/a,target=/c,bind-propagation=weird", "type=volume,source=vv,target=/c,bind-propagation=slave",
		"type=bind,src=/h,dst=/c,bind-recursive=readonly", "type=bind,src=/h,dst=/c,ro,bind-recursive=readonly",
		"src=vv,dst=/c,volume-subpath=../x", "src=vv,dst=/c,volume-subpath=/x", "src=vv,dst=/c,consistency=x", "src=vv,dst=/c,volume-opt=x",
		"dst=/c,readonly",
	} {
		if m, err := ParseMount(in); err == nil {
			t.Errorf("ParseMount(%q) = %+v, want an error", in, m)
		}
	}
}

func TestSignalsHaveNumbersAndNames(t *testing.T) {
	for in, want := range map[string]unix.Signal{
		"9": 9, "KILL": 9, "sigkill": 9, "SIGTERM": 15, "HUP": 1, "RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX-1": 63, "64": 64,
	} {
		if got, err := ParseSignal(in); err != nil || got != want {
			t.Errorf("ParseSignal(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "65", "-9", "NOPE", "SIG", "RTMIN+40", "RTMAX+1", "RTMINx"} {
		if got, err := ParseSignal(in); err == nil {
			t.Errorf("ParseSignal(%q) = %d, want an error", in, got)
		}
	}
}

func TestDeviceRulesAndRatesAreReadAsDockerReadsThem(t *testing.T) {
	for in, want := range map[string]DeviceRule{
		"c 13:* rwm": {"c", 13, -1, "rwm"}, "a *:* m": {"a", -1, -1, "m"}, "b 8:0 r": {"b", 8, 0, "r"},
	} {
		if got, err := ParseDeviceRule(in); err != nil || got != want {
			t.Errorf("ParseDeviceRule(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "c 13:*", "x 1:2 r", "c 1 r", "c 1:2 x", "c 1:2 rrww", "c -1:2 r", "c 1:2  r"} {
		if got, err := ParseDeviceRule(in); err == nil {
			t.Errorf("ParseDeviceRule(%q) = %+v, want an error", in, got)
		}
	}
	for in, want := range map[string]DeviceRate{"/dev/sda:1mb": {"/dev/sda", 1 << 20}, "/dev/sda:0": {"/dev/sda", 0}} {
		if got, err := ParseDeviceBps(in); err != nil || got != want {
			t.Errorf("ParseDeviceBps(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "/dev/sda", "sda:1mb", "/dev/sda:-1", "/dev/sda:x"} {
		if got, err := ParseDeviceBps(in); err == nil {
			t.Errorf("ParseDeviceBps(%q) = %+v, want an error", in, got)
		}
		if got, err := ParseDeviceIOPS(in); err == nil {
			t.Errorf("ParseDeviceIOPS(%q) = %+v, want an error", in, got)
		}
	}
	for in, good := range map[string]bool{"/dev/sda:10": true, "/dev/sda:1000": true, "/dev/sda:9": false, "/dev/sda:1001": false, "/dev/sda:1k": false} {
		if got, err := ParseDeviceWeight(in); (err == nil) != good {
			t.Errorf("ParseDeviceWeight(%q) = %+v, %v", in, got, err)
		}
	}
}

func TestOnlySettingsOfNamespacesAreSet(t *testing.T) {
	for in, key := range map[string]string{
		"net.ipv4.ip_forward=1": "net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding=1": "net.ipv4.conf.eth0/1.forwarding",
		"kernel.sem=1 2 3": "kernel.sem", "fs.mqueue.msg_max=5": "fs.mqueue.msg_max",
	} {
		got := map[string]string{}
		if err := ParseSysctl(got, in); err != nil || len(got) != 1 || got[key] == "" {
			t.Errorf("ParseSysctl(%q): %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "x", "=1", "kernel.panic=1", "vm.swappiness=1", "kernel/panic=1", "net../..kernel/panic=1", "net/../kernel/panic=1", "net.//.kernel.panic=1"} {
		if got := map[string]string{}; ParseSysctl(got, in) == nil {
			t.Errorf("ParseSysctl(%q): %v, want an error", in, got)
		}
	}
}

func TestEnvFileSkipsCommentsAndUnsetNames(t *testing.T) {
	lookup := func(k string) (string, bool) { return "from host", k == "SET" }
	got, err := ParseEnvFile(strings.NewReader("\ufeff# comment\n\nA=1\n  B=2 \nSET\nUNSET\nC=\n"), lookup)
	want := []string{"A=1", "B=2 ", "SET=from host", "C="}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, in := range []string{"=x", "A B=1", "\xff=1"} {
		if got, err := ParseEnvFile(strings.NewReader(in), lookup); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func TestValidateFindsContradictions(t *testing.T) {
	good := []func(*Config){
		func(c *Config) {},
		func(c *Config) { c.Memory, c.MemorySwap = 64<<20, 128<<20 },
		func(c *Config) { c.Memory, c.MemorySwap = 64<<20, -1 },
		func(c *Config) { c.Name = "web.1_a-b" },
		func(c *Config) { c.CpusetCpus = "0-1,3" },
		func(c *Config) { c.Mode = "container:web" },
	}
	for i, change := range good {
		c := Config{Image: "alpine"}
		if change(&c); c.Validate() != nil {
			t.Errorf("good %d: %v", i, c.Validate())
		}
	}
	bad := map[string]func(*Config){
		"an image is needed":      func(c *Config) { c.Image = "" },
		"container name":          func(c *Config) { c.Name = "-x" },
		"at least 6m":             func(c *Config) { c.Memory = 1 << 20 },
		"needs --memory too":      func(c *Config) { c.MemorySwap = 1 << 30 },
		"cannot be less than":     func(c *Config) { c.Memory, c.MemorySwap = 1<<30, 1<<29 },
		"not together with":       func(c *Config) { c.NanoCPUs, c.CPUQuota = 1e9, 5000 },
		"at least 0.01":           func(c *Config) { c.NanoCPUs = 1 },
		"between 2 and 262144":    func(c *Config) { c.CPUShares = 1 },
		"-1 for no limit":         func(c *Config) { c.PidsLimit = -2 },
		"--cpuset-cpus":           func(c *Config) { c.CpusetCpus = "a" },
		"leave out --hostname":    func(c *Config) { c.Mode, c.Hostname = "container:x", "h" },
		"cannot publish ports":    func(c *Config) { c.Mode, c.Ports = "container:x", []network.PortMapping{{ContainerPort: 80}} },
		"other container's name":  func(c *Config) { c.Mode = "container:" },
		"two mounts want":         func(c *Config) { c.Mounts = []Mount{{Target: "/a"}, {Target: "/a"}} },
		"must be an absolute":     func(c *Config) { c.WorkingDir = "rel" },
		"invalid hostname":        func(c *Config) { c.Hostname = "a b" },
		"invalid signal":          func(c *Config) { c.StopSignal = "SIGNOPE" },
		"contradict each other":   func(c *Config) { c.AutoRemove, c.Restart.Name = true, "always" },
		"invalid DNS server":      func(c *Config) { c.DNS = []string{"dns.example"} },
		"--pid container: needs":  func(c *Config) { c.Namespaces.PID = "container:" },
		"invalid --uts":           func(c *Config) { c.Namespaces.UTS = "container:x" },
		"leave out --shm-size":    func(c *Config) { c.Namespaces.IPC, c.ShmSize = "host", 1<<20 },
		"network is not":          func(c *Config) { c.Mode, c.Sysctls = "host", map[string]string{"net.a": "1"} },
		"IPC namespace is the":    func(c *Config) { c.Namespaces.IPC, c.Sysctls = "host", map[string]string{"kernel.sem": "1"} },
		"leave out --mac-address": func(c *Config) { c.Mode, c.MACAddress = "none", "02:00:00:00:00:01" },
		"--memory-swappiness":     func(c *Config) { n := uint64(101); c.MemorySwappiness = &n },
		"--blkio-weight":          func(c *Config) { c.BlkioWeight = 5 },
		"--cgroup-parent":         func(c *Config) { c.CgroupParent = "/a/../b" },
		"--cpu-rt-runtime":        func(c *Config) { c.CPURtPeriod, c.CPURtRuntime = 1000, 2000 },
	}
	for want, change := range bad {
		c := Config{Image: "alpine"}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestConfigSurvivesItsFile(t *testing.T) {
	entry := []string{}
	c := Config{
		Image: "alpine", Process: Process{Entrypoint: &entry, Command: []string{"sh"}},
		Mounts: []Mount{{Type: Bind, Source: "/a", Target: "/b"}}, Network: Network{Ports: []network.PortMapping{{HostPort: 1, ContainerPort: 2}}},
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(c, back) {
		t.Errorf("got %+v, %v from %s", back, err, raw)
	}
}

func FuzzValuesNeverPanic(f *testing.F) {
	for _, s := range []string{"a:/b:ro", `type=bind,"src=/a`, "1-2:3-4/udp", "[::1]:1:2", "1.5g", "nofile=1:2", "RTMIN+1", "/dev/a:rwm"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseVolume(s); err == nil && !strings.HasPrefix(m.Target, "/") {
			t.Errorf("ParseVolume(%q) targets %q", s, m.Target)
		}
		if m, err := ParseMount(s); err == nil && (m.Target == "/" || m.Type == Bind && !strings.HasPrefix(m.Source, "/") && !strings.HasPrefix(m.Source, ".")) {
			t.Errorf("ParseMount(%q) = %+v", s, m)
		}
		if n, err := ParseSize(s); err == nil && n < 0 {
			t.Errorf("ParseSize(%q) = %d", s, n)
		}
		_, _ = ParseTmpfs(s)
		_, _ = ParseUlimit(s)
		_, _ = ParseSignal(s)
		_, _ = ParseDevice(s)
		_, _ = ParseExtraHost(s)
		_, _ = ParseDeviceRule(s)
		_, _ = ParseDeviceBps(s)
		_, _ = ParseMAC(s)
		_, _, _ = ParseVolumesFrom(s)
	})
}
