package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
	"minictr/pkg/image"
	"minictr/pkg/logging"
	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/volume"
)

func TestIDsAndNamesLookLikeDockers(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := newID()
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(id) || !strings.ContainsAny(short(id), "abcdef") || seen[id] {
			t.Fatalf("bad ID %s", id)
		}
		seen[id] = true
		if name := randomName(0); record.CheckName(name) != nil || strings.Count(name, "_") != 1 {
			t.Fatalf("bad name %s", name)
		}
	}
	for _, words := range [][]string{moods, tools} {
		if !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) {
			t.Errorf("words out of order, or twice: %v", words)
		}
	}
}

func TestRandomNamesAreFoundWhenMostAreTaken(t *testing.T) {
	e := newEngine(t)
	for range 30 {
		create(t, e, sh("true"))
	}
	list, err := e.List()
	if err != nil || len(list) != 30 {
		t.Fatalf("%d containers, %v", len(list), err)
	}
	if !slices.IsSortedFunc(list, func(a, b *Container) int { return b.Created.Compare(a.Created) }) {
		t.Error("the list does not begin with the newest")
	}
}

func TestCreateThatFailsLeavesNothing(t *testing.T) {
	e := newEngine(t)
	bad := map[string]func(*config.Config){
		"no such image": func(c *config.Config) { c.Image = "nosuch" },
		"no command":    func(c *config.Config) { c.Entrypoint, c.Command = &[]string{}, nil },
		"is in use":     func(c *config.Config) { c.Name = "taken" },
		"the host has no": func(c *config.Config) {
			c.Mounts = []config.Mount{{Type: config.Bind, Source: "/nowhere/at/all", Target: "/x"}}
		},
		"--cpus":            func(c *config.Config) { c.NanoCPUs = 1e15 },
		"No such container": func(c *config.Config) { c.VolumesFrom = []string{"nosuch"} },
		"not a directory": func(c *config.Config) {
			c.Mounts = []config.Mount{{Type: config.Volume, Source: "made", Target: "/a"}, {Type: config.Bind, Source: "/etc/passwd/x", Target: "/x", CreateSource: true}}
		},
	}
	cfg := sh("true")
	cfg.Name = "taken"
	taken := create(t, e, cfg)
	for want, change := range bad {
		c := sh("true")
		change(&c)
		if _, err := e.Create(t.Context(), c, ImageOptions{Pull: PullNever}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	list, err := e.List()
	if err != nil || len(list) != 1 || list[0].ID != taken.ID {
		t.Errorf("containers: %v, %v", list, err)
	}
	volumes, err := e.Volumes.List()
	if err != nil || len(volumes) != 0 {
		t.Errorf("volumes: %v, %v", volumes, err)
	}
	for _, dir := range []string{"containers", "names"} {
		if entries, _ := os.ReadDir(filepath.Join(e.Dirs.Root, dir)); len(entries) != 1 {
			t.Errorf("%s holds %v", dir, entries)
		}
	}
}

func TestForgetTakesBackNewVolumesOnly(t *testing.T) {
	e := newEngine(t)
	if _, err := e.CreateVolume(volume.Volume{Name: "old"}); err != nil {
		t.Fatal(err)
	}
	c := sh("true")
	c.Mounts = []config.Mount{
		{Type: config.Volume, Source: "old", Target: "/old"},
		{Type: config.Volume, Source: "new", Target: "/new"},
		{Type: config.Volume, Target: "/anonymous", Anonymous: true},
	}
	if err := e.Forget(t.Context(), create(t, e, c)); err != nil {
		t.Fatal(err)
	}
	volumes, err := e.Volumes.List()
	if err != nil || len(volumes) != 1 || volumes[0].Name != "old" {
		t.Errorf("volumes: %v, %v", volumes, err)
	}
}

func TestPlanRunsNothingAndLeavesNothing(t *testing.T) {
	e := newEngine(t)
	c := sh("touch /data/ran")
	dir := t.TempDir()
	c.Mounts = []config.Mount{{Type: config.Bind, Source: dir, Target: "/data"}, {Type: config.Volume, Source: "vol", Target: "/vol"}}
	plan, err := e.Plan(t.Context(), c, nil, ImageOptions{Pull: PullNever})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"namespace.clone", "overlay.mount", "network.plug", "rootfs.pivot", "process.exec"} {
		if plan.Index(name) < 0 {
			t.Errorf("no step %s in the plan", name)
		}
	}
	list, _ := e.List()
	volumes, _ := e.Volumes.List()
	leases, _ := os.ReadDir(filepath.Join(e.Dirs.Run, "networks", "bridge", "leases"))
	files, _ := os.ReadDir(dir)
	if len(list)+len(volumes)+len(leases)+len(files) != 0 {
		t.Errorf("left: %v %v %v %v", list, volumes, leases, files)
	}
}

func TestManyContainersAtOnce(t *testing.T) {
	e := newEngine(t)
	c := create(t, e, sh("true"))
	watch(t, e, c).Check(t)
	var wg sync.WaitGroup
	addresses := make(chan string, 20)
	for range 20 {
		wg.Go(func() {
			out, code := run(t, e, sh("ip -o -4 addr show eth0 | tr -s ' ' | cut -d' ' -f4"))
			if code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
			addresses <- strings.TrimSpace(out)
		})
	}
	wg.Wait()
	close(addresses)
	seen := make(map[string]bool)
	for a := range addresses {
		if a == "" || seen[a] {
			t.Errorf("address %q was given twice, or is none", a)
		}
		seen[a] = true
	}
}

func TestOneOfManyStartsWins(t *testing.T) {
	e := newEngine(t)
	c := create(t, e, sh("sleep 60"))
	var wg sync.WaitGroup
	results := make([]error, 5)
	for i := range results {
		wg.Go(func() {
			own := *c
			session, err := e.Start(t.Context(), &own, StartOptions{})
			if err == nil {
				session.Close()
			}
			results[i] = err
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !strings.Contains(err.Error(), "running already") {
			t.Error(err)
		}
	}
	leases, _ := os.ReadDir(filepath.Join(e.Dirs.Run, "networks", "bridge", "leases"))
	if won != 1 || len(leases) != 1 {
		t.Errorf("%d starts won, leases %v", won, leases)
	}
}

func TestStopAsksBeforeItKills(t *testing.T) {
	e := newEngine(t)
	for _, test := range []struct {
		name, script, signal string
		timeout              time.Duration
		code                 int
	}{
		{"asked", "trap 'exit 3' TERM; while :; do sleep 0.05; done", "", time.Minute, 3},
		{"own signal", "trap 'exit 4' USR1; while :; do sleep 0.05; done", "USR1", time.Minute, 4},
		{"killed", "while :; do sleep 0.05; done", "", 200 * time.Millisecond, 137},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := sh(test.script)
			cfg.Mode, cfg.StopSignal = "none", test.signal
			c := create(t, e, cfg)
			session, err := e.Start(t.Context(), c, StartOptions{})
			if err != nil {
				t.Fatal(err)
			}
			session.Close()
			time.Sleep(200 * time.Millisecond) // the shell sets its trap
			if err := e.refresh(c); err != nil {
				t.Fatal(err)
			}
			if err := e.Stop(t.Context(), c, &test.timeout); err != nil {
				t.Fatal(err)
			}
			if err := e.refresh(c); err != nil || c.Running() || c.State.ExitCode != test.code {
				t.Errorf("state %+v, %v; want exit code %d", c.State, err, test.code)
			}
		})
	}
}

func TestAPidOfAnotherProcessIsNotSignalled(t *testing.T) {
	c := &Container{Name: "gone", State: record.State{Status: record.Running, Pid: os.Getpid(), PidStart: 1}}
	var over *NotRunningError
	if err := c.Signal(unix.SIGKILL); !errors.As(err, &over) {
		t.Errorf("got %v", err)
	}
}

func TestTheUsersOwnPasswdCounts(t *testing.T) {
	e := newEngine(t)
	c := create(t, e, sh("echo 'me:x:77:88::/home/me:/bin/sh' >> /etc/passwd"))
	session, err := e.Start(t.Context(), c, StartOptions{})
	if err == nil {
		_, err = session.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Config.User = "me"
	id, err := e.identify(c)
	if err != nil || id.UID != 77 || id.GID != 88 || id.Home != "/home/me" {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestLogsFollowToTheEnd(t *testing.T) {
	e := newEngine(t)
	cfg := sh("for i in 1 2 3; do echo $i; sleep 0.1; done")
	cfg.Mode = "none"
	c := create(t, e, cfg)
	session, err := e.Start(t.Context(), c, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	if err := e.refresh(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var text strings.Builder
	err = e.Logs(ctx, c, LogOptions{Tail: -1, Follow: true}, func(m logging.Message) error {
		text.WriteString(m.Text)
		return nil
	})
	if err != nil || text.String() != "1\n2\n3\n" {
		t.Errorf("got %q, %v", text.String(), err)
	}
}

func TestPublishAllTakesWhatIsExposed(t *testing.T) {
	port := func(s string) network.PortMapping {
		p, err := network.ParsePort(s)
		if err != nil {
			t.Fatal(err)
		}
		return p[0]
	}
	c := &Container{}
	c.Config.PublishAll = true
	c.Config.Ports = []network.PortMapping{port("8080:80")}
	c.Config.Expose = []string{"90-91/udp"}
	c.Image.Config.ExposedPorts = map[string]struct{}{"80/tcp": {}, "443": {}}
	ports, err := publish(c)
	var got []string
	for _, p := range ports {
		got = append(got, exposed(p))
	}
	if want := []string{"80/tcp", "443/tcp", "90/udp", "91/udp"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestAnUnreachableRegistryIsNotAskedAgainAtOnce(t *testing.T) {
	e := newEngine(t)
	name, err := image.ParseName("alpine")
	if err != nil {
		t.Fatal(err)
	}
	e.noteUnreachable(name.Domain)
	var notes []string
	img, release, err := e.hold(t.Context(), "alpine", ImageOptions{Notice: func(s string) { notes = append(notes, s) }})
	if err != nil {
		t.Fatal(err)
	}
	release()
	if len(notes) != 1 || !strings.Contains(notes[0], "stands in for alpine:latest") || img.Name().Familiar() != builtInName {
		t.Errorf("notes %q, image %v", notes, img.Name())
	}
	old := time.Now().Add(-2 * unreachableFor)
	if err := os.Chtimes(e.unreachable(name.Domain), old, old); err != nil || e.lately(name.Domain) {
		t.Errorf("a registry that was unreachable long ago still counts: %v", err)
	}
}
