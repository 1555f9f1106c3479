package engine

import (
	"net"
	"strings"
	"testing"
	"time"

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
	if _, err := net.InterfaceByName(ep.Bridge); err != nil {
		t.Fatalf("the shim has removed a network that is in use: %v", err)
	}
	if err := e.disconnect(ep); err != nil {
		t.Fatal(err)
	}
	if err := e.disconnect(ep); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := net.InterfaceByName(ep.Bridge); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the bridge stays for nobody")
		}
	}
}
