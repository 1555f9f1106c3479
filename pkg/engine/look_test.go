package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"minictr/pkg/engine/archive"
	"minictr/pkg/engine/config"
	"minictr/pkg/image"
)

// started makes and starts a container and reads its state.
func started(t *testing.T, e *Engine, c config.Config) *Container {
	t.Helper()
	made := create(t, e, c)
	session, err := e.Start(t.Context(), made, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	if err := e.refresh(made); err != nil {
		t.Fatal(err)
	}
	return made
}

// eventually waits until ok says so, ten seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func TestUsageAndProcessesAreTheContainersOwn(t *testing.T) {
	e := newEngine(t)
	cfg := sh("sleep 1000 & while :; do :; done")
	cfg.Mode, cfg.Memory = "none", 64<<20
	c := started(t, e, cfg)
	first, err := e.Usage(c)
	if err != nil {
		t.Fatal(err)
	}
	var u Usage
	eventually(t, "processor time, two processes and some memory", func() bool {
		if u, err = e.Usage(c); err != nil {
			t.Fatal(err)
		}
		return u.CPU.Usage > first.CPU.Usage && u.Pids.Current == 2 && u.Memory.Usage > 0
	})
	if u.Memory.Limit != 64<<20 || u.MemoryPercent() <= 0 || u.Received+u.Sent != 0 {
		t.Errorf("%+v", u)
	}
	eventually(t, "the shell and its sleep, which was a shell itself at first", func() bool {
		p, err := e.Top(c, nil)
		if err != nil || len(p.Processes) != 2 || p.Titles[1] != "PID" || p.Processes[0][1] != fmt.Sprint(c.State.Pid) {
			t.Fatalf("%+v, %v", p, err)
		}
		return p.Processes[1][len(p.Titles)-1] == "sleep 1000"
	})
	if err := e.Kill(t.Context(), c, 9); err != nil {
		t.Fatal(err)
	}
	if err := e.refresh(c); err != nil {
		t.Fatal(err)
	}
	var over *NotRunningError
	if _, err := e.Top(c, nil); !errors.As(err, &over) {
		t.Errorf("top of what has ended: %v", err)
	}
	if u, err := e.Usage(c); err != nil || u.Memory.Usage != 0 {
		t.Errorf("usage of what has ended: %+v, %v", u, err)
	}
}

// oneFile is a tar stream of one file.
func oneFile(t *testing.T, name, text string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// read is the content and owner of a file of a container.
func read(t *testing.T, e *Engine, c *Container, path string) string {
	t.Helper()
	var b bytes.Buffer
	if err := e.CopyFrom(t.Context(), c, path, &b, func(PathStat) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&b)
	h, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %d:%d", text, h.Uid, h.Gid)
}

func TestFilesGoInAndOutWhetherItRunsOrNot(t *testing.T) {
	e := newEngine(t)
	cfg := sh("echo own > /own; chown 7:8 /own; exec sleep 1000")
	cfg.Mode = "none"
	cfg.Mounts = []config.Mount{{Type: config.Volume, Source: "data", Target: "/data/deep"}, {Type: config.Tmpfs, Target: "/mem"}}
	c := create(t, e, cfg)
	put := func(dir, name string) {
		t.Helper()
		if _, err := e.CopyTo(t.Context(), c, dir, oneFile(t, name, name), archive.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	put("/etc", "before")
	put("/data/deep", "volume-before")
	session, err := e.Start(t.Context(), c, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	if err := e.refresh(c); err != nil {
		t.Fatal(err)
	}
	put("/data/deep", "volume-running")
	put("/mem", "memory")
	for path, want := range map[string]string{
		"/etc/before": "before 0:0", "/data/deep/volume-before": "volume-before 0:0", "/mem/memory": "memory 0:0",
	} {
		if got := read(t, e, c, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	eventually(t, "/own is there", func() bool { _, err := e.StatPath(t.Context(), c, "/own"); return err == nil })
	eventually(t, "/own is 7's", func() bool { return read(t, e, c, "/own") == "own\n 7:8" })
	if err := e.Kill(t.Context(), c, 9); err != nil {
		t.Fatal(err)
	}
	if err := e.refresh(c); err != nil {
		t.Fatal(err)
	}
	if got := read(t, e, c, "/data/deep/volume-running"); got != "volume-running 0:0" {
		t.Error(got)
	}
	var missing *NoFileError
	if _, err := e.StatPath(t.Context(), c, "/mem/memory"); !errors.As(err, &missing) {
		t.Errorf("a tmpfs outlived its container: %v", err)
	}
}

func TestACommittedContainerBeginsWhereTheOtherEnded(t *testing.T) {
	e := newEngine(t)
	cfg := sh("echo new > /new; rm /etc/passwd")
	cfg.Mode = "none"
	c := started(t, e, cfg)
	if _, err := e.Wait(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	changes, err := e.Changes(c)
	var list []string
	for _, ch := range changes {
		list = append(list, ch.String())
	}
	if want := "C /etc, D /etc/passwd, A /new"; strings.Join(list, ", ") != want || err != nil {
		t.Errorf("changes %q, %v, want %q", list, err, want)
	}
	name, err := image.ParseName("next")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Commit(t.Context(), c, CommitOptions{Name: name, Change: []string{"USER 3"}}); err != nil {
		t.Fatal(err)
	}
	cfg.Image, cfg.Command = "next", []string{"true"}
	next := create(t, e, cfg)
	if got := read(t, e, next, "/new"); got != "new\n 0:0" || next.Image.Config.User != "3" {
		t.Errorf("%q, user %q", got, next.Image.Config.User)
	}
	var missing *NoFileError
	if _, err := e.StatPath(t.Context(), next, "/etc/passwd"); !errors.As(err, &missing) {
		t.Errorf("what was deleted is back: %v", err)
	}
	var all bytes.Buffer
	if err := e.Export(t.Context(), next, &all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&all); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
	}
	if !slices.Contains(names, "new") || !slices.Contains(names, "bin/") || slices.Contains(names, "etc/passwd") {
		t.Errorf("exported: %q", names)
	}
}
