package engine

import (
	"os"
	"strings"
	"testing"

	"minictr/pkg/engine/config"
	"minictr/pkg/lsm"
	"minictr/pkg/lsm/profile"
)

func TestContainersAreConfinedUnlessTheyChooseNotToBe(t *testing.T) {
	if !lsm.Detect().AppArmor {
		t.Skip("needs a kernel with AppArmor")
	}
	if _, err := profile.Parser(); err != nil {
		t.Skip(err)
	}
	e := newEngine(t)
	const tries = "cat /proc/self/attr/current; echo 1 >/proc/self/oom_score_adj && echo itself; cat /proc/sysrq-trigger 2>/dev/null; mount -t tmpfs none /mnt 2>/dev/null && echo mounts"
	for want, change := range map[string]func(*config.Config){
		"minictr-default (enforce)\nitself\n": func(c *config.Config) { c.CapAdd = []string{"SYS_ADMIN"} },
		"unconfined\nitself\nmounts\n": func(c *config.Config) {
			c.CapAdd, c.AppArmor = []string{"SYS_ADMIN"}, lsm.Unconfined
		},
		"unconfined\n": func(c *config.Config) { c.Privileged, c.Command = true, []string{"cat", "/proc/self/attr/current"} },
	} {
		c := sh(tries)
		c.Mode = "none"
		change(&c)
		if got, code := run(t, e, c); got != want {
			t.Errorf("got %q, exit code %d; want %q", got, code, want)
		}
	}

	cfg := sh("sleep 1000")
	cfg.Mode = "none"
	c := started(t, e, cfg)
	if i, err := e.Inspect(c.ID); err != nil || i.AppArmorProfile != profile.Default {
		t.Errorf("inspect: %+v, %v", i, err)
	}
	for privileged, want := range map[bool]string{false: profile.Default, true: lsm.Unconfined} {
		if got := execOutput(t, e, c, ExecOptions{Args: []string{"cat", "/proc/self/attr/current"}, Privileged: privileged}); !strings.HasPrefix(got, want) {
			t.Errorf("exec, privileged %v: %q", privileged, got)
		}
	}
}

func execOutput(t *testing.T, e *Engine, c *Container, o ExecOptions) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o.Stdout, o.Stderr = w, w
	x, err := e.Exec(c, o)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Wait(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 200)
	n, _ := r.Read(b)
	return string(b[:n])
}
