// Package profile has the AppArmor profile of ordinary containers and loads it
// into the kernel.
//
// The kernel takes profiles in a form that only apparmor_parser makes of their
// text, so a step runs that program, before the first container after the
// machine's start. Without the program containers run as they would without
// AppArmor, as docker's do; who asks for a profile by name gets it or an error.
//
// Chapter: Security in Docker (AppArmor). Man pages: apparmor.d(5),
// apparmor_parser(8).
package profile

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Default is the name of the profile; it is minictr's docker-default.
const Default = "minictr-default"

//go:embed minictr-default
var text string

// Text is the profile's source, in AppArmor's language.
func Text() string { return text }

const loadedPath = "/sys/kernel/security/apparmor/profiles"

// Loaded asks the kernel whether it has a profile.
func Loaded(name string) (bool, error) {
	f, err := os.Open(loadedPath)
	if err != nil {
		return false, fmt.Errorf("ask AppArmor for its profiles: %w", err)
	}
	defer f.Close()
	return loaded(f, name), nil
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

// ErrNoParser says that the machine has AppArmor but not the program that
// compiles profiles for it.
var ErrNoParser = errors.New("apparmor_parser is not installed (Debian and Ubuntu: package apparmor)")

// Parser is the path of apparmor_parser. Users' PATH often lacks the
// directories of the administrator's programs.
func Parser() (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path := filepath.Join(dir, "apparmor_parser"); filepath.IsAbs(path) && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", ErrNoParser
}

// Loader is the program that has to give the kernel the default profile before
// a container can have it, "" if the kernel has it. An error means that
// containers run without.
func Loader() (string, error) {
	there, err := Loaded(Default)
	if err != nil || there {
		return "", err
	}
	return Parser()
}

// Load has the parser at that path load the default profile.
func Load(parser string) step.Step {
	return step.Step{
		Name: "lsm.load-profile", Topic: book.MAC, Side: step.Host,
		Why: "the kernel forgets profiles when the machine is shut down, so the first container since then brings its own along",
		Program: &step.Program{
			Calls: []kernel.Call{
				kernel.Dup3(kernel.FD(step.StdinSlot), 0, false),
				kernel.CloseRange(3, unix.CLOSE_RANGE_CLOEXEC),
				kernel.Execve(parser, []string{"apparmor_parser", "--skip-cache", "--replace"}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}),
			},
			Stdin:   func(int) []byte { return []byte(text) },
			Timeout: 30 * time.Second,
		},
		Rule: "the profile stays until the machine is shut down, and concerns nobody who does not ask for it",
	}
}
