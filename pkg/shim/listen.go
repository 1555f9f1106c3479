package shim

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// SocketName is the shim's socket in its container's run directory.
const socketName = "shim.sock"

// listenAt listens on a socket called name in dir. The kernel takes paths of up to 107
// bytes for sockets; through a descriptor of the directory any path is short.
func listenAt(dir, name string) (*net.UnixListener, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	path := fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name)
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
		return nil, err // of a shim that was killed
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // the run directory goes as a whole
	return listener, nil
}
