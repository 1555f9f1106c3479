package bundle

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
	"minictr/pkg/image/ocispec"
)

const passwd = `# comment
root:x:0:0:root:/root:/bin/sh
broken line
daemon:x:2:2::/sbin:
www:x:33:34:web:/var/www:/bin/sh
nohome:x:40:40::
twin:x:33:99:same number:/twin:/bin/sh
huge:x:4294967295:0::/:
`

const group = `root:x:0:root
bin:x:1:root,daemon
www:x:34:
extra:x:500:www,root
bad:x:nan:www
`

func TestIdentifyFollowsDockersRules(t *testing.T) {
	for user, want := range map[string]Identity{
		"":           {0, 0, []uint32{0, 1, 500}, "/root"},
		"root":       {0, 0, []uint32{0, 1, 500}, "/root"},
		"0":          {0, 0, []uint32{0, 1, 500}, "/root"},
		"www":        {33, 34, []uint32{34, 500}, "/var/www"},
		"33":         {33, 34, []uint32{34, 500}, "/var/www"},
		"www:bin":    {33, 1, []uint32{1}, "/var/www"},
		"www:7":      {33, 7, []uint32{7}, "/var/www"},
		"www:":       {33, 34, []uint32{34, 500}, "/var/www"},
		":extra":     {0, 500, []uint32{500}, "/root"},
		"1234":       {1234, 0, []uint32{0}, "/"},
		"1234:5678":  {1234, 5678, []uint32{5678}, "/"},
		"nohome":     {40, 40, []uint32{40}, "/"},
		"2147483647": {2147483647, 0, []uint32{0}, "/"},
		"daemon":     {2, 2, []uint32{2, 1}, "/sbin"},
	} {
		if got, err := Identify(user, nil, []byte(passwd), []byte(group)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Identify(%q) = %+v, %v; want %+v", user, got, err, want)
		}
	}
	for _, user := range []string{"nobody", "www:nope", "2147483648", "-1", "huge", "broken line", "33x"} {
		if got, err := Identify(user, nil, []byte(passwd), []byte(group)); err == nil {
			t.Errorf("Identify(%q) = %+v, want an error", user, got)
		}
	}
	got, err := Identify("www", []string{"bin", "77", "34"}, []byte(passwd), []byte(group))
	if err != nil || !slices.Equal(got.Groups, []uint32{34, 500, 1, 77}) {
		t.Errorf("--group-add: %+v, %v", got, err)
	}
	if got, err := Identify("", nil, nil, nil); err != nil || got.UID != 0 || got.Home != "/" {
		t.Errorf("an image without /etc/passwd: %+v, %v", got, err)
	}
}

func TestArgumentsJoinEntrypointAndCommand(t *testing.T) {
	image := ocispec.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"cmd"}}
	entry := func(s ...string) *[]string { return &s }
	for _, c := range []struct {
		entrypoint *[]string
		command    []string
		want       string
	}{
		{nil, nil, "/entry cmd"},
		{nil, []string{"x", "y"}, "/entry x y"},
		{entry("/mine"), nil, "/mine"},
		{entry("/mine"), []string{"x"}, "/mine x"},
		{entry(), []string{"x"}, "x"},
		{entry(), nil, ""},
	} {
		cfg := &config.Config{Process: config.Process{Entrypoint: c.entrypoint, Command: c.command}}
		got, err := Arguments(cfg, image)
		if strings.Join(got, " ") != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v %v: got %q, %v; want %q", c.entrypoint, c.command, got, err, c.want)
		}
	}
}

func TestEnvironmentLaysOneOverAnother(t *testing.T) {
	in := Input{
		Hostname: "box", Identity: Identity{Home: "/root"},
		Image:  ocispec.ImageConfig{Env: []string{"PATH=/img", "A=image", "B=image"}},
		Config: &config.Config{Process: config.Process{TTY: true, Env: []string{"A=user", "B", "C=1", "NONE"}}},
	}
	want := []string{"PATH=/img", "HOSTNAME=box", "TERM=xterm", "A=user", "C=1", "HOME=/root"}
	if got := environment(in); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	in.Config.Env = []string{"HOME=/mine", "HOSTNAME"}
	want = []string{"PATH=/img", "TERM=xterm", "A=image", "B=image", "HOME=/mine"}
	if got := environment(in); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func input() Input {
	return Input{
		ID: "0123456789ab", Config: &config.Config{Image: "alpine", Process: config.Process{Command: []string{"sh"}}},
		Hostname: "0123456789ab", Identity: Identity{Groups: []uint32{0}, Home: "/root"}, Available: 1<<41 - 1,
		CgroupsPath: "/minictr/0123456789ab", Files: map[string]string{"/etc/hosts": "/b/hosts", "/etc/resolv.conf": "/b/resolv.conf"},
	}
}

func mustSpec(t *testing.T, in Input) *specs.Spec {
	t.Helper()
	spec, err := Spec(in)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestSpecIsTheSameEveryTime(t *testing.T) {
	in := input()
	in.Config.Ulimits = []config.Ulimit{{Name: "nofile", Soft: 1, Hard: 2}, {Name: "core", Soft: 0, Hard: -1}}
	first, _ := json.Marshal(mustSpec(t, in))
	for range 20 {
		if again, _ := json.Marshal(mustSpec(t, in)); string(again) != string(first) {
			t.Fatalf("two specs of one input differ:\n%s\n%s", first, again)
		}
	}
}

func destinations(spec *specs.Spec) []string {
	var list []string
	for _, m := range spec.Mounts {
		list = append(list, m.Destination)
	}
	return list
}

func TestMountsComeAfterTheDirectoriesTheyLieIn(t *testing.T) {
	in := input()
	in.Mounts = []config.Mount{
		{Type: config.Bind, Source: "/a", Target: "/data/deep/er"},
		{Type: config.Volume, Source: "/v", Target: "/etc", ReadOnly: true},
		{Type: config.Tmpfs, Target: "/dev/shm", TmpfsSize: 4096},
		{Type: config.Bind, Source: "/c", Target: "/data"},
		{Type: config.Bind, Source: "/h", Target: "/etc/hosts"},
	}
	spec := mustSpec(t, in)
	want := []string{
		"/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue",
		"/etc", "/data", "/etc/resolv.conf", "/dev/shm", "/etc/hosts", "/data/deep/er",
	}
	if got := destinations(spec); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, m := range spec.Mounts {
		if m.Destination == "/etc/hosts" && m.Source != "/h" {
			t.Errorf("the user's hosts file lost against ours: %+v", m)
		}
		if m.Destination == "/etc" && !slices.Contains(m.Options, "rro") {
			t.Errorf("a read-only volume is not: %+v", m)
		}
	}
}

func TestAMountOverDevReplacesWhatIsInIt(t *testing.T) {
	in := input()
	in.Mounts = []config.Mount{{Type: config.Bind, Source: "/dev", Target: "/dev"}}
	for _, d := range destinations(mustSpec(t, in)) {
		if strings.HasPrefix(d, "/dev/") {
			t.Errorf("%s would be mounted on the host's /dev", d)
		}
	}
}

func TestPrivilegedHidesNothing(t *testing.T) {
	in := input()
	in.Config.Privileged = true
	spec := mustSpec(t, in)
	if len(spec.Linux.MaskedPaths)+len(spec.Linux.ReadonlyPaths) != 0 || len(spec.Process.Capabilities.Effective) != 41 {
		t.Errorf("masked %v, read-only %v, %d capabilities", spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths, len(spec.Process.Capabilities.Effective))
	}
	for _, m := range spec.Mounts {
		if slices.Contains(m.Options, "ro") {
			t.Errorf("%s is read-only", m.Destination)
		}
	}
}

func TestAnotherUserThanRootHasNoCapabilities(t *testing.T) {
	in := input()
	in.Identity = Identity{UID: 1000, GID: 1000}
	caps := mustSpec(t, in).Process.Capabilities
	if len(caps.Effective)+len(caps.Permitted)+len(caps.Inheritable)+len(caps.Ambient) != 0 || len(caps.Bounding) != 14 {
		t.Errorf("%+v", caps)
	}
}

func TestNamespacesFollowTheNetworkMode(t *testing.T) {
	for name, c := range map[string]struct {
		net  NetNS
		want *specs.LinuxNamespace
	}{
		"own":     {NetNS{}, &specs.LinuxNamespace{Type: "network"}},
		"host":    {NetNS{Host: true}, nil},
		"another": {NetNS{Path: "/proc/7/ns/net"}, &specs.LinuxNamespace{Type: "network", Path: "/proc/7/ns/net"}},
	} {
		in := input()
		in.NetNS = c.net
		spec := mustSpec(t, in)
		i := slices.IndexFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == "network" })
		if (i >= 0) != (c.want != nil) || i >= 0 && spec.Linux.Namespaces[i] != *c.want {
			t.Errorf("%s: %+v", name, spec.Linux.Namespaces)
		}
		if (len(spec.Linux.Sysctl) > 0) != (name == "own") {
			t.Errorf("%s: network sysctls %v would be somebody else's", name, spec.Linux.Sysctl)
		}
	}
}

func TestLimitsBecomeCgroupValues(t *testing.T) {
	in := input()
	in.Config.Resources = config.Resources{Memory: 64 << 20, NanoCPUs: 15e8, PidsLimit: 10, CPUShares: 512}
	r := mustSpec(t, in).Linux.Resources
	if *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 128<<20 || *r.CPU.Quota != 150000 || *r.CPU.Period != 100000 || *r.Pids.Limit != 10 || *r.CPU.Shares != 512 {
		t.Errorf("memory %+v, cpu %+v, pids %+v", r.Memory, r.CPU, r.Pids)
	}
	r = mustSpec(t, input()).Linux.Resources
	if r.Memory != nil || r.CPU != nil || r.Pids != nil {
		t.Errorf("limits nobody asked for: %+v", r)
	}
}

func TestResolverLeavesOutTheHostsLoopback(t *testing.T) {
	text := []byte("# comment\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.b c.d\noptions ndots:2 edns0\nnameserver\n")
	r := ParseResolver(text)
	want := "nameserver 10.0.0.1\nsearch a.b c.d\noptions ndots:2 edns0\n"
	if got := string(r.Reachable().Text()); got != want || r.Local() {
		t.Errorf("got %q (local %v), want %q", got, r.Local(), want)
	}
	only := ParseResolver([]byte("nameserver 127.0.0.53\n"))
	if !only.Local() || !slices.Equal(only.Reachable().Servers, publicServers) {
		t.Errorf("%+v", only.Reachable())
	}
	got := string(r.With([]string{"9.9.9.9"}, []string{"."}, nil).Text())
	if want := "nameserver 9.9.9.9\noptions ndots:2 edns0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostsNamesTheContainer(t *testing.T) {
	got := string(Hosts("172.29.0.2", "web", "example.org", []string{"db:10.0.0.5", "six:fd00::1"}))
	for _, line := range []string{"127.0.0.1\tlocalhost\n", "10.0.0.5\tdb\n", "fd00::1\tsix\n", "172.29.0.2\tweb.example.org web\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in %q", line, got)
		}
	}
}

func FuzzIdentifyNeverPanics(f *testing.F) {
	f.Add("www:bin", passwd, group)
	f.Fuzz(func(t *testing.T, user, passwd, group string) {
		if id, err := Identify(user, nil, []byte(passwd), []byte(group)); err == nil && (id.UID > maxID || id.GID > maxID || id.Home == "") {
			t.Errorf("Identify(%q) = %+v", user, id)
		}
	})
}
