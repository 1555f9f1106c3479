package kernel

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Load and Store read and write a whole file, now, for this program's own use:
// they are no part of any plan. Package os would do the same, but it first asks
// the kernel of each file whether one can wait for it with epoll(7), which is
// five calls more, and keeps a record for the garbage collector. An OCI runtime
// opens two dozen files in its few milliseconds.

// Load returns what is in the file at path. Files of /proc have no size that
// could be asked for before.
func Load(path string) ([]byte, error) {
	fd, err := openFile(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadAll(fd, path)
}

// ReadAll reads from fd to the end; path is its name in an error.
func ReadAll(fd int, path string) ([]byte, error) {
	content := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(fd, content[len(content):cap(content)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return content, nil
		}
		if content = content[:len(content)+n]; len(content) == cap(content) {
			content = append(make([]byte, 0, 4*cap(content)), content...)
		}
	}
}

// Store makes the file at path hold content, with mode if it is new. A reader
// may see a part of it: who must not writes under another name, and renames.
func Store(path string, content []byte, mode uint32) error {
	fd, err := openFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if err = errors.Join(WriteAll(fd, content), unix.Close(fd)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// WriteAll writes all of content. On a disk that fills up, write(2) may take a
// part of it and only the next one fails.
func WriteAll(fd int, content []byte) error {
	for len(content) > 0 {
		n, err := unix.Write(fd, content)
		if err != nil && err != unix.EINTR {
			return err
		}
		content = content[max(n, 0):]
	}
	return nil
}

func openFile(path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		switch {
		case err == nil:
			return fd, nil
		case err != unix.EINTR:
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
