package profile

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"minictr/pkg/lsm"
)

func TestTheProfileIsFoundInTheKernelsList(t *testing.T) {
	const list = "/usr/bin/man (enforce)\nminictr-default-old (enforce)\ndocker-default (enforce)\n"
	if loaded(strings.NewReader(list), Default) {
		t.Error("found where only a longer name stands")
	}
	if !loaded(strings.NewReader(list+Default+" (enforce)\n"), Default) {
		t.Error("not found")
	}
}

func TestTheParserTakesTheProfile(t *testing.T) {
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("needs apparmor_parser (package apparmor)")
	}
	cmd := exec.Command(parser, "--skip-kernel-load", "--skip-cache", "--names")
	cmd.Stdin = strings.NewReader(Text())
	out, err := cmd.Output() // what it complains of on standard error is this machine's kernel
	if err != nil || strings.TrimSpace(string(out)) != Default {
		t.Errorf("%v: %s", err, out)
	}
}

func TestEnsureLoadsTheProfileOnce(t *testing.T) {
	if !lsm.Detect().AppArmor {
		t.Skip("needs a kernel with AppArmor")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to load a profile")
	}
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		t.Skip("needs apparmor_parser (package apparmor)")
	}
	for range 2 {
		if err := Ensure(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(loadedPath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !loaded(f, Default) {
		t.Error("the kernel does not list it")
	}
}
