package oci

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
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
	content := make([]byte, stat.Size+1)
	for n := 0; ; {
		if n == len(content) { // it has grown, or is none of a disk
			content = append(content, make([]byte, 4096)...)
		}
		m, err := unix.Read(fd, content[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n += m; m == 0 {
			return content[:n], nil
		}
	}
}
