package process

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCandidatesFollowTheContainersPath(t *testing.T) {
	for _, tc := range []struct{ name, path, want string }{
		{"ls", "PATH=/bin:/usr/bin:/bin", "/bin/ls /usr/bin/ls"},
		{"./ls", "PATH=/bin", "./ls"},
		{"/x/ls", "PATH=/bin", "/x/ls"},
		{"ls", "PATH=:/bin", "./ls /bin/ls"},
		{"ls", "HOME=/", "/usr/local/sbin/ls /usr/local/bin/ls /usr/sbin/ls /usr/bin/ls /sbin/ls /bin/ls"},
	} {
		if got := strings.Join(candidates(tc.name, []string{tc.path}), " "); got != tc.want {
			t.Errorf("%s with %s: %s", tc.name, tc.path, got)
		}
	}
}

func TestLimitsAreKnownByNameAndSetOnce(t *testing.T) {
	if _, err := Limits([]specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}}); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]specs.POSIXRlimit{{{Type: "RLIMIT_FUN"}}, {{Type: "RLIMIT_AS"}, {Type: "RLIMIT_AS"}}} {
		if _, err := Limits(bad); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

func TestSysctlsBecomeFilesInAFixedOrder(t *testing.T) {
	s := Sysctl(map[string]string{"net.ipv4.ip_forward": "1", "kernel.shmmax": "5"})
	if got := s.Calls[0].String(); got != `openat2(<settings>, "kernel/shmmax", {flags=O_WRONLY|O_CLOEXEC, resolve=RESOLVE_NO_XDEV|RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH}, 24)` {
		t.Error(got)
	}
	if len(s.Calls) != 7 { // three a setting, and the end of <settings>
		t.Errorf("%d calls", len(s.Calls))
	}
}

func TestNoCommandIsAnError(t *testing.T) {
	for _, args := range [][]string{nil, {""}} {
		if _, err := Exec(&specs.Process{Args: args}); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
}
