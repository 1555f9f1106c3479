package reaper

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFileIsAProgramThatNoStackCanRun(t *testing.T) {
	program, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Entry != base+start || len(program) > 2048 {
		t.Errorf("%v, entry %#x, %d bytes", f.Type, f.Entry, len(program))
	}
	if len(f.Progs) != 2 || f.Progs[0].Flags != elf.PF_R|elf.PF_X || f.Progs[0].Filesz != uint64(len(program)) || f.Progs[1].Flags != elf.PF_R|elf.PF_W {
		t.Errorf("segments: %v, %v", f.Progs[0], f.Progs[1])
	}
	// The instructions name these addresses.
	if got := string(program[0xb0 : 0xc8+1]); got != message {
		t.Errorf("at 0x4000b0 there is %q", got)
	}
}

// Here it is not process 1, but says so to the kernel (it is a subreaper), and
// does the same.
func TestItRunsAProgramAndExitsAsThatDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "init")
	for range 2 { // the second finds it there
		if err := Write(path); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(t.TempDir(), "a script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path, args, out string
		code            int
	}{
		{"/nowhere:/bin:/usr/bin", "sh -c exit\t5", "", 5},
		{"/bin:/usr/bin", "echo hello", "hello\n", 0},
		{"/bin:/usr/bin", "sh -c kill\t-9\t$$", "", 137},
		{"/bin:/usr/bin", "nosuch x", "docker-init: cannot run nosuch\n", 127},
		{"/bin:/usr/bin", "/nosuch/program", "docker-init: cannot run /nosuch/program\n", 127},
		{"/bin:/usr/bin", "/etc/passwd", "docker-init: cannot run /etc/passwd\n", 126},
		{"/etc:/nowhere", "passwd", "docker-init: cannot run passwd\n", 126},
		{"", "nosuch", "docker-init: cannot run nosuch\n", 127},
		{filepath.Dir(script), "a\tscript 3", "", 3},
		{":/nowhere", "a\tscript 4", "", 4},
		{"/nowhere:", "a\tscript 6", "", 6},
	} {
		args := append([]string{"--"}, strings.Fields(strings.ReplaceAll(tc.args, "\t", "\x01"))...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x01", " ")
		}
		cmd := exec.Command(path, args...)
		cmd.Dir, cmd.Env = filepath.Dir(script), []string{"A=1", "PATHS=x", "P", "PATH=" + tc.path, "XPATH=/bin"}
		out, err := cmd.CombinedOutput()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if string(out) != tc.out || code != tc.code {
			t.Errorf("PATH=%s %s: %q, code %d, want %q and %d", tc.path, tc.args, out, code, tc.out, tc.code)
		}
	}
}

func TestSignalsArePassedOnAndOrphansReaped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "init")
	if err := Write(path); err != nil {
		t.Fatal(err)
	}
	// The grandchildren end first, and are nobody's: one by one they come to
	// the reaper, which must not take one of them for its child.
	cmd := exec.Command(path, "--", "sh", "-c",
		`trap "exit 9" USR1; for i in 1 2 3 4 5; do (sleep 0.01 & exec true); done; kill -USR1 $PPID; while :; do sleep 0.01; done`)
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 9 {
		t.Error(err)
	}
}
