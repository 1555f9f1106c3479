package network

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// The files of this package are a line long. They are read and written with a
// system call for each step and no more: package os asks, for every file it
// opens, whether it could be waited for, and Connect opens a dozen.

// readLine returns the first bytes of a file.
func readLine(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	b := make([]byte, 256)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return b[:n], nil
}

// writeLine makes the file with these flags as well, and writes s and a newline.
func writeLine(path, s string, flags int) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC|flags, 0o644)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	n, err := unix.Write(fd, []byte(s+"\n"))
	if err == nil && n != len(s)+1 {
		err = unix.ENOSPC
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
