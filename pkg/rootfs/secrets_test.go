package rootfs

import (
	"slices"
	"strings"
	"testing"
)

func TestPathsInsideOtherContainersAreToldFromTheHosts(t *testing.T) {
	for in, want := range map[string][2]string{
		"/proc/12/root/dev/shm": {"12", "/dev/shm"}, "/proc/12/root/": {"12", "/"},
		"/proc/self/root/x": {}, "/proc//root/x": {}, "/proc/12/ns/mnt": {}, "/dev/shm": {}, "/proc/1x/root/y": {},
	} {
		pid, path, ok := insideOf(in)
		if ok != (want[0] != "") || ok && (pid != want[0] || path != want[1]) {
			t.Errorf("insideOf(%q) = %q, %q, %v", in, pid, path, ok)
		}
	}
}

// Every descriptor that the step opens it closes, in the child as on the host:
// one of a secret's file must not reach the program, not even until execve.
func TestSecretsLeaveNoDescriptor(t *testing.T) {
	secrets := []Secret{{Source: "/s/a/data", Target: "a", Mode: 0o444}, {Source: "/s/b/data", Target: "x/y/b", Mode: 0o400}, {Source: "/s/c/data", Target: "/etc/c", Mode: 0o400}}
	open := make(map[string]bool)
	for _, c := range OpenSecrets(secrets).Calls {
		open[string(c.Save)] = true
	}
	if len(open) != len(secrets) || len(CloseSecrets(secrets).Calls) != len(secrets) {
		t.Errorf("the host opens %v", open)
	}
	text := ""
	for _, c := range Secrets(secrets).Calls {
		text += c.String() + "\n"
		if c.Save != "" && c.Name != "openat2" {
			open[string(c.Save)] = true
		}
		if c.Name == "close" {
			for slot := range open {
				if strings.Contains(c.String(), slot) {
					delete(open, slot)
				}
			}
		}
	}
	delete(open, string(fsSlot)) // the configuration of the file system: closed by execve, and of no use to anybody
	if len(open) != 0 {
		t.Errorf("left open: %v, by\n%s", open, text)
	}
	for _, want := range []string{`mkdirat(`, `"x/y"`, "sendfile(", `"/etc/c"`, "MOUNT_ATTR_RDONLY"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if got := parents("x/y/b"); !slices.Equal(got, []string{"x", "x/y"}) {
		t.Errorf("%q", got)
	}
}
