package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Setxattr is setxattr(2): set an extended attribute, made if it is not there.
func Setxattr(path, name, value string) Call {
	return call("setxattr", unix.SYS_SETXATTR, Str(path), Str(name), Bytes(value), Int(len(value)), Int(0)).
		As(fmt.Sprintf("setfattr -n %s -v %s %s", name, value, path))
}

// HasXattr is getxattr(2) that asks for no more than whether the attribute is
// there: ENODATA if it is not.
func HasXattr(path, name string) Call {
	return call("getxattr", unix.SYS_GETXATTR, Str(path), Str(name), Null, Int(0)).
		As(fmt.Sprintf("getfattr -n %s %s", name, path))
}
