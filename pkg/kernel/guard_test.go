package kernel

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What follows "if that failed" must not run when it worked and its descriptor
// has been closed since.
func TestGuardsRememberTheCallAfterItsDescriptorIsClosed(t *testing.T) {
	dir := t.TempDir()
	h := NewHost()
	open := func(name string, flags OpenFlags) Call {
		return Openat(AtFDCWD, filepath.Join(dir, name), flags|unix.O_RDWR|unix.O_CLOEXEC, 0o600).Allowing(unix.ENOENT).Into("f")
	}
	for _, c := range []struct {
		open Call
		made bool // whether the stand-in is made
	}{{open("there", unix.O_CREAT), false}, {open("missing", 0), true}, {open("there", 0), false}} {
		if _, err := h.Do(c.open); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Do(Close(FD("f")).IfOK("f")); err != nil {
			t.Fatal(err)
		}
		r, err := h.Do(Mkdir(filepath.Join(dir, "instead"), 0o755).IfFailed("f"))
		if err != nil || (r.State == Done) != c.made {
			t.Errorf("%s: %+v, %v", c.open, r, err)
		}
	}
}
