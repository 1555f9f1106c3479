package engine

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
	"minictr/pkg/network"
)

// The shim of the last container leaves the network to one that has an address
// by then. If that one never comes to be, somebody has to take it away.
func TestAnAddressThatComesBackUnusedTakesTheNetworkAlong(t *testing.T) {
	e := newEngine(t)
	watch(t, e, create(t, e, sh("true"))).Check(t)
	ep, err := network.Connect(e.Dirs.Run, strings.Repeat("ab", 32), network.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, code := run(t, e, sh("true")); code != 0 {
		t.Fatal("code", code)
	}
	leak.AwaitShims(t, e.Dirs.Root)
	if !linked(ep.Bridge) {
		t.Fatal("the shim has removed a network that is in use")
	}
	if err := e.disconnect(ep); err != nil {
		t.Fatal(err)
	}
	if err := e.disconnect(ep); err != nil {
		t.Errorf("a second time: %v", err)
	}
	eventually(t, "the bridge stays for nobody", func() bool { return !linked(ep.Bridge) })
}

// A shim that is killed when its container has ended, while it waits for others to
// come, has nothing left to undo but the network.
func TestTheNetworkOfAShimThatIsKilledAtItsEndGoes(t *testing.T) {
	e := newEngine(t)
	c := create(t, e, sh("sleep 60"))
	watch(t, e, c).Check(t)
	bridge := ""
	eventually(t, "a shim is killed while the bridge is there", func() bool {
		session, err := e.Start(t.Context(), c, StartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		session.Close()
		ep, err := e.planned(c)
		if err := errors.Join(err, e.refresh(c)); err != nil {
			t.Fatal(err)
		}
		shim := c.State.ShimPid
		if err := e.Kill(t.Context(), c, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Wait(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		_ = unix.Kill(shim, unix.SIGKILL) // unless this test is so slow that the shim is done
		time.Sleep(200 * time.Millisecond)
		bridge = ep.Bridge
		return linked(bridge)
	})
	eventually(t, "the bridge stays for nobody", func() bool {
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		return !linked(bridge)
	})
}

func linked(link string) bool {
	_, err := net.InterfaceByName(link)
	return err == nil
}
