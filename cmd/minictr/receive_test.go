package main

import (
	"net"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// receive NAME FILE: a daemon of the test takes datagrams, on a port of the
// loopback and on the socket FILE.sock, and puts them into FILE, until the
// script ends. The variable NAME is the port's address.
func receive(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: receive NAME FILE")
	}
	path := ts.MkAbs(args[1])
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	ts.Defer(func() { _ = out.Close() })
	take := func(network, address string) net.PacketConn {
		conn, err := net.ListenPacket(network, address)
		ts.Check(err)
		ts.Defer(func() { _ = conn.Close() })
		go func() {
			buf := make([]byte, 64<<10)
			for {
				n, _, err := conn.ReadFrom(buf)
				if err != nil {
					return // closed
				}
				_, _ = out.Write(buf[:n])
			}
		}()
		return conn
	}
	ts.Setenv(args[0], take("udp", "127.0.0.1:0").LocalAddr().String())
	// A path short enough for a socket's address.
	dir, err := os.MkdirTemp("", "receive")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	take("unixgram", socket)
	ts.Setenv(args[0]+"_SOCKET", socket)
}
