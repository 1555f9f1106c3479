package logging

import (
	"errors"
	"net"
	"time"
)

// How long whoever takes the log may keep the container waiting, and how long
// it is left alone after that: meanwhile lines are lost, and the container goes
// on. Nobody who is gone for good stops a container.
const (
	remotePatience = 2 * time.Second
	remoteRest     = time.Second
)

// remote sends each line as one message to a socket, and connects again when
// that breaks.
type remote struct {
	network, address string
	conn             net.Conn
	again            time.Time // not before then is it tried again
	lost             losses
}

func (r *remote) dial() error {
	conn, err := net.DialTimeout(r.network, r.address, remotePatience)
	if err == nil {
		r.conn = conn
	}
	return err
}

var errUnreachable = errors.New("the receiver of the log cannot be reached")

// send sends b, or counts it as lost.
func (r *remote) send(b []byte) {
	if r.conn == nil && time.Now().Before(r.again) {
		r.lost.add(1, errUnreachable)
		return
	}
	var err error
	for range 2 { // the receiver may have been started anew since the last line
		if r.conn == nil {
			if err = r.dial(); err != nil {
				break
			}
		}
		_ = r.conn.SetWriteDeadline(time.Now().Add(remotePatience))
		if _, err = r.conn.Write(b); err == nil {
			return
		}
		r.hangUp()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			break
		}
	}
	r.again = time.Now().Add(remoteRest)
	r.lost.add(1, err)
}

func (r *remote) hangUp() {
	if r.conn != nil {
		_ = r.conn.Close()
		r.conn = nil
	}
}

func (r *remote) close() error {
	r.hangUp()
	return r.lost.report(nil)
}
