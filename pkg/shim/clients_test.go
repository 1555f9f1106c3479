package shim

import (
	"net"
	"path/filepath"
	"testing"

	"minictr/pkg/shim/wire"
	"minictr/pkg/terminal"
)

// The last run is over, and the shim is about to go: somebody who has just
// connected is told, and may say what they like.
func TestWhoConnectsAsItEndsIsToldHow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	user, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	conn, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	cs := newClients(&shim{})
	cs.close(wire.Exited, wire.Exit{Code: 7})
	c := newClient(conn)
	if pid := cs.add(c); pid != 0 {
		t.Errorf("pid %d", pid)
	}
	served := make(chan struct{})
	go func() {
		cs.serve(c)
		close(served)
	}()
	if err := wire.Write(user, wire.Resize, terminal.Size{Width: 3, Height: 4}); err != nil {
		t.Error(err)
	}
	kind, payload, err := wire.NewReader(user).Next()
	var exit wire.Exit
	if err != nil || kind != wire.Exited || wire.Decode(payload, &exit) != nil || exit.Code != 7 {
		t.Errorf("%q, %+v, %v", kind, exit, err)
	}
	user.Close()
	<-served
}
