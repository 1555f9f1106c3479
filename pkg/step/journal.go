package step

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Journal is a file that names the steps that have begun, one a line, written
// before the step does anything. Whoever finds the journal of a dead process
// rebuilds its plan from the container's files and undoes those steps.
type Journal struct{ fd int }

// OpenJournal opens or makes the journal at path.
func OpenJournal(path string) (*Journal, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", path, err)
	}
	return &Journal{fd}, nil
}

// Begin notes that step name is about to run. A line is one write, so a reader
// sees it whole or not at all.
func (j *Journal) Begin(name string) error {
	if j == nil {
		return nil
	}
	if err := kernel.WriteAll(j.fd, []byte(name+"\n")); err != nil {
		return fmt.Errorf("note step %s in the journal: %w", name, err)
	}
	return nil
}

// Close closes the file; the journal stays.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return unix.Close(j.fd)
}

// ReadJournal returns the names of the steps that began, in order. No journal
// means none. A torn last line (power cut) is of a step that did not run.
func ReadJournal(path string) ([]string, error) {
	b, err := kernel.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	lines := strings.Split(string(b), "\n")
	return lines[:len(lines)-1], nil
}
