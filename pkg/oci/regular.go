package oci

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// readRegular reads a file that whoever wrote the bundle has named. It must be
// one: a pipe would have us wait for ever, and a device may never end.
func readRegular(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return kernel.ReadAll(fd, path)
}
