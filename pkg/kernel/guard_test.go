package kernel

import (
	"path/filepath"
	"slices"
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

// Two guards: the first of several places gets the thing itself, all others a
// copy of it, in this process and in a child.
func TestBothGuardsOfACallMustHold(t *testing.T) {
	for _, inChild := range []bool{false, true} {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		calls := []Call{Mkdir(at("thing"), 0o755)}
		for i, place := range []string{"/", "/nonexistent/place", "/tmp", "/proc"} {
			target := Slot("target-" + place)
			calls = append(calls,
				Openat(AtFDCWD, place, unix.O_PATH|unix.O_CLOEXEC, 0).Allowing(unix.ENOENT).Into(target),
				Mkdir(at("copy-"+string(rune('0'+i))), 0o755).Into("copy").IfOK(target).AndOK("used"),
				Mkdir(at("after-copy-"+string(rune('0'+i))), 0o755).IfOK("copy"),
				Mkdir(at("itself-"+string(rune('0'+i))), 0o755).Into("used").IfOK(target).AndFailed("used"))
		}
		h := NewHost()
		if inChild {
			c, err := h.Spawn(Clone(CloneArgs{}), calls, []Call{Execve("/bin/true", []string{"true"}, nil)})
			if err != nil {
				t.Fatal(err)
			}
			for c.Hear() {
			}
			if err := c.Executed(); err != nil {
				t.Error(err)
			}
			_, _ = unix.Wait4(c.PID, nil, 0, nil)
			c.Close()
		} else {
			for _, c := range calls {
				if _, err := h.Do(c); err != nil {
					t.Fatal(err)
				}
			}
			h.CloseAll()
		}
		made, err := filepath.Glob(at("*"))
		want := []string{at("after-copy-2"), at("after-copy-3"), at("copy-2"), at("copy-3"), at("itself-0"), at("thing")}
		if err != nil || !slices.Equal(made, want) {
			t.Errorf("in a child %v: made %q, want %q (%v)", inChild, made, want, err)
		}
	}
}
