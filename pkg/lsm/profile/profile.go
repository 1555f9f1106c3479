// Package profile has the AppArmor profile of ordinary containers and loads it
// into the kernel.
//
// It stands apart from package lsm because it runs a program
// (apparmor_parser), which the programs that start containers have no need of.
//
// Chapter: Security in Docker (AppArmor). Man pages: apparmor.d(5),
// apparmor_parser(8).
package profile

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Default is the name of the profile; it is minictr's docker-default.
const Default = "minictr-default"

//go:embed minictr-default
var text string

// Text is the profile's source, in AppArmor's language.
func Text() string { return text }

// ErrNoParser says that the machine has AppArmor but not the program that
// compiles profiles for it.
var ErrNoParser = errors.New("apparmor_parser is not installed (Debian and Ubuntu: package apparmor)")

const loadedPath = "/sys/kernel/security/apparmor/profiles"

// Ensure loads the default profile unless the kernel has it already. The
// profile stays until the machine is shut down; it concerns nobody who does
// not ask for it.
func Ensure(ctx context.Context) error {
	f, err := os.Open(loadedPath)
	if err != nil {
		return fmt.Errorf("ask AppArmor for its profiles: %w", err)
	}
	defer f.Close()
	if loaded(f, Default) {
		return nil
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		return fmt.Errorf("load AppArmor profile %s: %w", Default, ErrNoParser)
	}
	cmd := exec.CommandContext(ctx, parser, "--skip-cache", "--replace")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load AppArmor profile %s: %w: %s", Default, err, bytes.TrimSpace(out))
	}
	return nil
}

// loaded looks for a profile in the kernel's list, whose lines are like
// "docker-default (enforce)".
func loaded(list io.Reader, name string) bool {
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, name+" (") {
			return true
		}
	}
	return false
}
