package kernel

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// AtLeast reports whether the running kernel is of this version or newer: for
// what cannot be asked for without doing it.
func AtLeast(major, minor int) bool {
	r := release()
	return r[0] > major || r[0] == major && r[1] >= minor
}

// release is the version in uname(2), 0.0 if it makes no sense.
var release = sync.OnceValue(func() (v [2]int) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &v[0], &v[1])
	}
	return v
})
