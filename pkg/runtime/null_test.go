package runtime_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/runtime"
)

func TestNullCanBeUsedAndNotBeGivenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts need root")
	}
	fd, err := runtime.OpenNull()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n, err := unix.Write(fd, []byte("x")); n != 1 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	if n, err := unix.Read(fd, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
	if err := unix.Fchown(fd, 0, 0); err != unix.EROFS { // as it is; but it must not be asked
		t.Errorf("fchown: %v, want EROFS", err)
	}
	if err := unix.Fchmod(fd, 0o666); err != unix.EROFS {
		t.Errorf("fchmod: %v, want EROFS", err)
	}
}
