package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"minictr/pkg/engine"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/leak"
	"minictr/pkg/record"
	"minictr/rootfs"
)

// The scripts run this test binary as minictr, and a shim that TestMain builds.
// The scripts about limits run in the VM too, on pure cgroup v2.
//
//minictr:vm TestScripts/^(update|pause|limits|stats)$

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "minictr" {
		main()
	}
	testscript.Main(m, map[string]func(){"minictr": main})
}

// buildShim builds the program that belongs beside minictr.
func buildShim(t *testing.T) string {
	t.Helper()
	return build(t, "minictr-shim")
}

// build builds one of our programs.
func build(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("MINICTR_VM") != "" { // the VM has no Go, and has them built already
		return filepath.Join(os.Getenv("MINICTR_BIN"), name)
	}
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", path, "minictr/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// TestScripts runs real containers from the built-in image, by the commands a
// user types. Each script has a MINICTR_ROOT and a MINICTR_RUN of its own, and
// in it the built-in image under the name alpine.
func TestScripts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	if _, err := rootfs.Tarball(); err != nil {
		t.Fatal(err)
	}
	shim, oci, registry := buildShim(t), build(t, "minictr-oci"), build(t, "minictr-registry")
	leak.Check(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			dirs := record.Dirs{Root: filepath.Join(env.WorkDir, ".root"), Run: filepath.Join(env.WorkDir, ".run")}
			env.Vars = append(env.Vars, dirs.Env()...)
			env.Vars = append(env.Vars, "MINICTR_SHIM="+shim, "MINICTR_OCI="+oci, "MINICTR_REGISTRY="+registry, "TERM=xterm", "HOME="+env.WorkDir)
			env.Defer(func() {
				if err := removeAll(dirs); err != nil {
					t.Errorf("%s: clean up: %v", env.WorkDir, err)
				}
				leak.AwaitShims(t, env.WorkDir)
			})
			return importBase(dirs)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dial": dial, "listen": listen, "empty": empty, "serve": serve, "converse": converse, "receive": receive,
		},
	})
}

// importBase gives a script its image, so that no registry is asked.
func importBase(dirs record.Dirs) error {
	e, err := engine.New(dirs)
	if err != nil {
		return err
	}
	tarball, err := rootfs.Tarball()
	if err != nil {
		return err
	}
	name, err := image.ParseName("alpine")
	if err != nil {
		return err
	}
	_, err = e.Images.Import(context.Background(), bytes.NewReader(tarball), name, image.ImportOptions{
		Config: ocispec.ImageConfig{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=" + bundle.DefaultPath}},
	})
	return err
}

// removeAll removes what a script left running.
func removeAll(dirs record.Dirs) error {
	e, err := engine.New(dirs)
	if err != nil {
		return err
	}
	list, err := e.List()
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := e.Remove(context.Background(), c, engine.RemoveOptions{Force: true, Volumes: true}); err != nil {
			return err
		}
	}
	return nil
}

// dial ADDRESS-FILE WANT: connecting to the address in the file gets an answer
// that holds WANT, within a few seconds. With "!", nobody answers there.
func dial(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && !(neg && len(args) == 1) {
		ts.Fatalf("usage: dial ADDRESS-FILE [WANT]")
	}
	address := strings.TrimSpace(ts.ReadFile(args[0]))
	got, err := "", error(nil)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got, err = answer(address); neg || err == nil && strings.Contains(got, args[1]) {
			break
		}
	}
	switch {
	case neg && err == nil:
		ts.Fatalf("%s answers %q", address, got)
	case !neg && (err != nil || !strings.Contains(got, args[1])):
		ts.Fatalf("%s answers %q (%v), want %q", address, got, err, args[1])
	}
}

func answer(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	b, err := io.ReadAll(conn)
	if len(b) == 0 && err == nil {
		err = io.EOF
	}
	return string(b), err
}

// listen NAME: the test itself listens on a free port, which is put into the
// variable NAME, until the script ends.
func listen(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
}

// lasting are files that say nothing about any container, as compiled seccomp
// profiles do not.
var lasting = map[string]bool{"events": true, "lock": true, "last": true, "subnet": true}

// empty DIR...: there are no files below the directories.
func empty(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d os.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err == nil && !d.IsDir() && !lasting[d.Name()] && filepath.Ext(path) != ".bpf":
				return fmt.Errorf("%s was left behind", path)
			}
			return err
		}))
	}
}
