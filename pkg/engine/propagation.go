package engine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
)

// checkPropagation refuses to share mounts with a place of the host that shares
// none: the kernel would do it without a word, and a mount of one side would never
// appear on the other (mount_namespaces(7)).
func checkPropagation(m config.Mount) error {
	shared := m.Propagation == "shared" || m.Propagation == "rshared"
	if !shared && m.Propagation != "slave" && m.Propagation != "rslave" {
		return nil
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("find the mount that %s is on: %w", m.Source, err)
	}
	defer f.Close()
	var st unix.Statx_t
	for path := m.Source; ; path = filepath.Dir(path) { // -v makes what is missing, on its parent's mount
		err = unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st)
		if err != unix.ENOENT || path == "/" {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("find the mount that %s is on: %w", m.Source, err)
	}
	tags, err := propagationTags(f, st.Mnt_id)
	if err != nil {
		return fmt.Errorf("find the mount that %s is on: %w", m.Source, err)
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, kind+":") })
	}
	if has("shared") || !shared && has("master") {
		return nil
	}
	return fmt.Errorf("mount %s with %s: the mount of the host that it is on is not shared ('mount --make-shared' makes it so)", m.Source, m.Propagation)
}

// propagationTags are the optional fields of one mount in a mountinfo table
// (proc_pid_mountinfo(5)): shared:N, master:N and others.
func propagationTags(table io.Reader, id uint64) ([]string, error) {
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if end := slices.Index(f, "-"); end >= 6 && f[0] == strconv.FormatUint(id, 10) {
			return f[6:end], nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("mount %d is not in the table", id)
}
