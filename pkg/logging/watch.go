package logging

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// watch tells of changes in the directory of a log, with inotify(7).
type watch struct {
	changed chan struct{} // holds a token if something changed since it was last taken
	file    *os.File
	done    chan struct{}
}

func watchDir(path string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("start inotify: %w", err)
	}
	const events = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), events); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch %s: %w", filepath.Dir(path), err)
	}
	w := &watch{make(chan struct{}, 1), os.NewFile(uintptr(fd), "inotify"), make(chan struct{})}
	go w.listen()
	return w, nil
}

// listen ends when close has closed the file.
func (w *watch) listen() {
	defer close(w.done)
	buf := make([]byte, 4096)
	for {
		if _, err := w.file.Read(buf); err != nil {
			return
		}
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

func (w *watch) close() {
	w.file.Close()
	<-w.done
}
