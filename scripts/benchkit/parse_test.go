package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCgroupsAreFoundInEveryLayout(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, places string
		want           []hierarchy
	}{
		"v2 alone": {
			"35 24 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/user.slice/session-1.scope\n",
			[]hierarchy{{"/sys/fs/cgroup", "cgroup2", "", "/user.slice/session-1.scope"}},
		},
		"hybrid": {
			"30 24 0:26 / /sys/fs/cgroup ro shared:8 - tmpfs tmpfs ro,mode=755\n" +
				"32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"40 30 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n" +
				"41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
				"42 24 0:39 / /mnt/copy rw - cgroup cgroup rw,pids\n",
			"9:name=systemd:/init.scope\n4:cpu,cpuacct:/work\n8:pids:/\n0::/\n",
			[]hierarchy{
				{"/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct", "/work"},
				{"/sys/fs/cgroup/systemd", "cgroup", "name=systemd", "/init.scope"},
				{"/sys/fs/cgroup/unified", "cgroup2", "", "/"},
			},
		},
		"in somebody's namespace": {
			"35 24 0:29 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/../other\n", nil,
		},
		"none": {"22 27 0:21 / /proc rw - proc proc rw\n", "", nil},
	} {
		got, err := parseCgroups(strings.NewReader(c.mounts), strings.NewReader(c.places))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestTheBenchStaysWithinTheLimitsOfItsUser(t *testing.T) {
	v1 := hierarchy{"/sys/fs/cgroup/memory", "cgroup", "memory", "/user/42"}
	if got, want := v1.directory("b"), "/sys/fs/cgroup/memory/user/42/b"; got != want {
		t.Errorf("v1: %s, want %s", got, want)
	}
	v2 := hierarchy{"/sys/fs/cgroup", "cgroup2", "", "/user.slice/session-1.scope"}
	if got, want := v2.directory("b"), "/sys/fs/cgroup/b"; got != want {
		t.Errorf("v2: %s, want %s", got, want)
	}
}

func TestAProcessMayHaveAnyName(t *testing.T) {
	for line, want := range map[string]process{
		"7 (sh) S 1 7 7 0":          {7, "sh", "S"},
		"9 (a) (b c) R) D 1 2":      {9, "a) (b c) R", "D"},
		"1 () Z 0":                  {1, "", "Z"},
		"12 (containerd-shim) S 1 ": {12, "containerd-shim", "S"},
	} {
		if got, err := parseStat(line); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "7", "x (sh) S", "7 (sh)", ") 7 ("} {
		if got, err := parseStat(line); err == nil {
			t.Errorf("%q: got %+v", line, got)
		}
	}
}

func FuzzParseStatNeverPanics(f *testing.F) {
	f.Add("7 (sh) S 1 7 7 0")
	f.Add(") 7 (")
	f.Fuzz(func(t *testing.T, line string) {
		if p, err := parseStat(line); err == nil && p.state == "" {
			t.Errorf("%q: no state and no error", line)
		}
	})
}

func TestThisProcessIsAmongTheProcesses(t *testing.T) {
	if !slices.ContainsFunc(processes(), func(p process) bool { return p.pid == os.Getpid() }) {
		t.Error("it is not")
	}
	m, err := memoryOf(os.Getpid())
	if err != nil || m.pss <= 0 || m.pss > m.rss {
		t.Errorf("its memory is %+v, %v", m, err)
	}
}

func TestMemoryIsReadFromTheRollup(t *testing.T) {
	text := "00400000-7ffe15566000 ---p 00000000 00:00 0      [rollup]\nRss:                7012 kB\nPss:                5616 kB\nPss_Dirty:          2632 kB\n"
	if m, err := parseRollup([]byte(text)); err != nil || m != (memory{rss: 7012, pss: 5616}) {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, text := range []string{"", "Pss: many kB\n", "Rss: 1 kB\n"} { // a kernel thread's is empty
		if m, err := parseRollup([]byte(text)); err == nil {
			t.Errorf("%q: got %+v", text, m)
		}
	}
}

func TestAConfigurationRunsTrueAndKeepsTheRest(t *testing.T) {
	got, err := change([]byte(`{"process":{"terminal":true,"args":["sh"],"cwd":"/"},"linux":{"namespaces":[{"type":"pid"}]}}`), "/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Process struct {
			Terminal bool
			Args     []string
			Cwd      string
		}
		Linux struct{ Namespaces []struct{ Type string } }
	}
	if err := json.Unmarshal(got, &config); err != nil {
		t.Fatal(err)
	}
	if p := config.Process; p.Terminal || !slices.Equal(p.Args, []string{"/bin/true"}) || p.Cwd != "/" || len(config.Linux.Namespaces) != 1 {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "[]", "{}", `{"process":1}`} {
		if _, err := change([]byte(text), "/bin/true"); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
