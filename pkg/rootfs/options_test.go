package rootfs

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

func TestOptionsAreSortedByWhatBecomesOfThem(t *testing.T) {
	o := parseOptions(specs.Mount{Options: []string{"rbind", "ro", "nosuid", "rslave", "rro", "size=1m", "exec", "tmpcopyup"}})
	switch {
	case !o.bind || !o.recursive || !o.copyUp:
		t.Errorf("kind: %+v", o)
	case o.set != unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID || o.rset != unix.MOUNT_ATTR_RDONLY || o.clear != unix.MOUNT_ATTR_NOEXEC:
		t.Errorf("attributes: %+v", o)
	case len(o.propagation) != 1 || o.propagation[0] != (propagation{unix.MS_SLAVE, true}):
		t.Errorf("propagation: %+v", o.propagation)
	case strings.Join(o.data, " ") != "size=1m":
		t.Errorf("data: %v", o.data)
	}
}

func TestTheLastOfTwoOppositeOptionsCounts(t *testing.T) {
	o := parseOptions(specs.Mount{Options: []string{"ro", "rw"}})
	if o.set != 0 || o.clear != unix.MOUNT_ATTR_RDONLY {
		t.Errorf("got %+v", o)
	}
}

func TestARelativeDestinationStartsAtTheRoot(t *testing.T) {
	mounts, err := Parse([]specs.Mount{{Destination: "data/../../x", Type: "tmpfs"}})
	if err != nil || mounts[0].Destination != "/x" {
		t.Errorf("%+v, %v", mounts, err)
	}
	if _, err := Parse([]specs.Mount{{Type: "tmpfs"}}); err == nil {
		t.Error("a mount without a destination is accepted")
	}
}

// As with mount(2), which has no way to change one attribute only.
func TestWhoNamesOneAttributeGetsThoseThatAreNamedAndNoOthers(t *testing.T) {
	for _, test := range []struct {
		options string
		implied kernel.MountAttrs
	}{
		{"rbind,rprivate", 0},
		{"bind,rro", 0},
		{"bind,ro", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW},
		{"bind,dev,suid", unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW},
	} {
		if o := parseOptions(specs.Mount{Options: strings.Split(test.options, ",")}); o.implied != test.implied {
			t.Errorf("%s: clears %v besides, want %v", test.options, o.implied, test.implied)
		}
	}
	if o := parseOptions(specs.Mount{Type: "tmpfs", Options: []string{"ro"}}); o.implied != 0 {
		t.Errorf("a new file system: %v", o.implied)
	}
}

func TestStepsOfTheSameTargetKeepApart(t *testing.T) {
	mounts, err := Parse([]specs.Mount{{Destination: "/x", Type: "tmpfs"}, {Destination: "/x/", Type: "tmpfs"}, {Destination: "/proc", Type: "proc"}})
	if err != nil {
		t.Fatal(err)
	}
	if mounts[0].name == mounts[1].name || mounts[2].name != "rootfs.proc" {
		t.Errorf("names %q %q %q", mounts[0].name, mounts[1].name, mounts[2].name)
	}
}
