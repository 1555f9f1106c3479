package lsm

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
	"testing/fstest"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

func TestTheChoiceIsWrittenBeforeExecve(t *testing.T) {
	for _, tc := range []struct {
		step step.Step
		want []string
	}{
		{AppArmor("minictr-default"), []string{
			`openat(AT_FDCWD, "/proc/thread-self/attr/apparmor/exec", O_WRONLY|O_CLOEXEC)`, `write(<lsm>, "exec minictr-default", 20)`, `close(<lsm>)`,
		}},
		{SELinux("system_u:system_r:container_t:s0"), []string{
			`openat(AT_FDCWD, "/proc/thread-self/attr/exec", O_WRONLY|O_CLOEXEC)`, `write(<lsm>, "system_u:system_r:container_t:s0", 32)`, `close(<lsm>)`,
		}},
	} {
		var got []string
		for _, c := range tc.step.Calls {
			got = append(got, c.String())
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("got %q", got)
		}
		if tc.step.Side != step.Inside || tc.step.Undo != nil || tc.step.Rule == "" {
			t.Errorf("%s: side %v, rule %q", tc.step.Name, tc.step.Side, tc.step.Rule)
		}
	}
}

// The kernel of the VM has AppArmor.
//
//minictr:vm

// TestAProfileThatCannotBeHadStopsTheStart holds on every kernel: one without
// the module has no such file or takes no such value, one with it knows no
// profile of that name.
func TestAProfileThatCannotBeHadStopsTheStart(t *testing.T) {
	for _, s := range []step.Step{AppArmor("minictr-no-such-profile"), SELinux("no such label")} {
		c, err := kernel.NewHost().Spawn(kernel.Clone(kernel.CloneArgs{}), append(s.Calls, kernel.Execve("/bin/true", []string{"true"}, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for c.Hear() {
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil {
			t.Fatal(err)
		}
		var refused *kernel.CallError
		if err := c.Executed(); !errors.As(err, &refused) || refused.Index >= kernel.Preamble+2 {
			t.Errorf("%s: %v", s.Name, err)
		}
		c.Close()
	}
}

func TestModulesAreReadFromTheKernelsFiles(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, tc := range map[string]struct {
		root fstest.MapFS
		want Modules
	}{
		"none": {fstest.MapFS{}, Modules{}},
		"Debian": {
			fstest.MapFS{"sys/module/apparmor/parameters/enabled": file("Y\n"), "sys/kernel/security/lsm": file("lockdown,capability,landlock,yama,apparmor")},
			Modules{AppArmor: true, Active: []string{"lockdown", "capability", "landlock", "yama", "apparmor"}},
		},
		"apparmor=0": {fstest.MapFS{"sys/module/apparmor/parameters/enabled": file("N\n")}, Modules{}},
		"Fedora":     {fstest.MapFS{"sys/fs/selinux/enforce": file("1")}, Modules{SELinux: true, Enforcing: true}},
		"permissive": {fstest.MapFS{"sys/fs/selinux/enforce": file("0")}, Modules{SELinux: true}},
	} {
		if got := detect(tc.root); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
