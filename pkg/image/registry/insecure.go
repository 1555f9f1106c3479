package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// plainOK tells whether plain HTTP, or a certificate nobody vouches for, is
// good enough for a host: it is for this machine itself and for what the user
// listed, as host, host:port or address range, like docker's
// insecure-registries.
func plainOK(hostport string, insecure []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && addr.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(insecure, func(listed string) bool {
		if cidr, perr := netip.ParsePrefix(listed); perr == nil {
			return err == nil && cidr.Contains(addr)
		}
		return listed == host || listed == hostport
	})
}

var errPlain = errors.New("not on the list of registries that may be spoken to over plain HTTP")

// guard refuses plain HTTP where it must not be spoken: the login library
// tries it for every private address, and a redirect may ask for it.
type guard struct {
	inner    http.RoundTripper
	insecure []string
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !plainOK(r.URL.Host, g.insecure) {
		return nil, fmt.Errorf("%s: %w", r.URL.Host, errPlain)
	}
	return g.inner.RoundTrip(r)
}
