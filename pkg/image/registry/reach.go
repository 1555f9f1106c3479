package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
)

// reach watches the connections of a client for a sign of life. Errors cannot
// tell whether a registry is there: the login library tries several ways and
// reports one text, and the reasons for silence are many (no such name,
// refused, no answer in time, hung up at once). A single byte from the other
// side can: a bad certificate, a TLS alert, nonsense, all need someone there.
type reach struct {
	tried    atomic.Bool
	answered atomic.Bool
}

// nobody tells whether we called and heard nothing at all.
func (r *reach) nobody() bool { return r.tried.Load() && !r.answered.Load() }

// watch makes every connection of t report to r.
func (r *reach) watch(t *http.Transport) {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		r.tried.Store(true)
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &heard{Conn: c, r: r}, nil
	}
	// What a proxy says about itself is no sign of the registry.
	t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
		r.answered.Store(false)
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: %s says %s", errProxy, proxy.Host, resp.Status)
		}
		return nil
	}
}

// errProxy: the proxy works, but cannot or will not connect us.
var errProxy = errors.New("the proxy does not connect")

type heard struct {
	net.Conn
	r *reach
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if n > 0 {
		h.r.answered.Store(true)
	}
	return n, err
}
