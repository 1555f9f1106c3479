package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Who does not want a pid file says /dev/null, and the machine needs it later.
func TestAPidFileThatIsADeviceStaysOne(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.save()
	null := filepath.Join(b.dir, "null")
	if err := unix.Mknod(null, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(b.dir, "link")
	if err := os.Symlink(null, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{null, link} {
		b.do("run", "--pid-file", path, b.id)
		b.do("run", "--detach", "--pid-file", path, b.id)
		b.do("delete", "--force", b.id)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(null, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFCHR {
		t.Errorf("the device has mode %#o now, %v", stat.Mode, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v %v", info, err)
	}
}
