package registry

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// reach watches whether anybody on the other side ever said anything. It sits
// under the login library, which sees several attempts where we see one error.
type reach struct {
	inner http.RoundTripper

	mu       sync.Mutex
	answered bool
}

func (r *reach) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.inner.RoundTrip(req)
	if err == nil || !silence(err) {
		r.mu.Lock()
		r.answered = true
		r.mu.Unlock()
	}
	return resp, err
}

// nobody tells whether err means that the registry is unreachable.
func (r *reach) nobody(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.answered && silence(err)
}

// errProxy: the proxy works, but cannot or will not connect us.
var errProxy = errors.New("the proxy does not connect")

// silence tells errors of nobody being there from errors somebody caused: a
// bad certificate, a TLS alert, an HTTP answer to a TLS hello all need someone
// on the other side.
func silence(err error) bool {
	var dns *net.DNSError
	var netErr net.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &dns), errors.Is(err, errProxy):
		return true
	case errors.As(err, &netErr) && netErr.Timeout():
		return true
	case errors.As(err, &errno): // refused, no route, reset by a firewall
		return true
	}
	// A connection that is accepted and closed without a word.
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
