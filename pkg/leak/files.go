package leak

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mountEntry is what we need of a line of mountinfo; see proc_pid_mountinfo(5).
type mountEntry struct {
	root, point, kind, source string
}

// String leaves out the mount ID, which is a new one each time, and the options.
func (m mountEntry) String() string {
	text := m.point + " (" + m.kind + " " + m.source
	if m.root != "/" { // a bind mount of a part
		text += " " + m.root
	}
	return text + ")"
}

func (w Watch) mounts() ([]string, error) {
	all, err := readMounts()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, m := range all {
		if text := m.String(); w.ours(text) {
			found = append(found, text)
		}
	}
	return found, nil
}

// readMounts reads the calling thread's mount namespace: a test may have moved its thread into another one.
func readMounts() ([]mountEntry, error) {
	file, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseMountinfo(file)
}

func parseMountinfo(from io.Reader) ([]mountEntry, error) {
	var all []mountEntry
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20) // an overlay's lowerdir option may be long
	for lines.Scan() {
		// ID, parent, device, root, mount point, options, any number of tags, "-", type, source, more options.
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, errors.New("not a line of mountinfo: " + lines.Text())
		}
		all = append(all, mountEntry{
			root: unescape(left[3]), point: unescape(left[4]), kind: right[0], source: unescape(right[1]),
		})
	}
	return all, lines.Err()
}

// unescape undoes the octal escapes (\040 for a space) that keep the fields apart.
func unescape(field string) string {
	var text strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if value, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				text.WriteByte(byte(value))
				i += 3
				continue
			}
		}
		text.WriteByte(field[i])
	}
	return text.String()
}

// cgroups lists the directories below every mounted hierarchy, v1 and v2. One hierarchy may be mounted twice; its
// directories are then listed twice, before as after.
func (w Watch) cgroups() ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, m := range mounts {
		if m.kind != "cgroup" && m.kind != "cgroup2" {
			continue
		}
		err := walk(m.point, func(path string, entry fs.DirEntry) {
			if entry.IsDir() && path != m.point && w.ours(strings.TrimPrefix(path, m.point)) {
				found = append(found, path)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// namespaces lists the names that `ip netns` gives.
func (w Watch) namespaces() ([]string, error) {
	entries, err := os.ReadDir("/run/netns")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		if w.ours(entry.Name()) {
			found = append(found, entry.Name())
		}
	}
	return found, nil
}

// files lists everything below Dirs, scoped or not: the caller named them.
func (w Watch) files() ([]string, error) {
	var found []string
	for _, dir := range w.Dirs {
		err := walk(dir, func(path string, _ fs.DirEntry) {
			if path != dir {
				found = append(found, path)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// walk visits a tree that may change meanwhile: what has just vanished is passed over.
func walk(dir string, visit func(string, fs.DirEntry)) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		}
		visit(path, entry)
		return nil
	})
}

// openFiles lists this process's file descriptors by what they refer to. The runtime opens its own poller when first
// needed, and keeps it; those do not count.
func openFiles() ([]string, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil { // the one that listed the directory
			continue
		}
		if target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" {
			continue
		}
		found = append(found, entry.Name()+" -> "+target)
	}
	return found, nil
}
