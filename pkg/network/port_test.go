package network

import (
	"fmt"
	"strings"
	"testing"
)

func TestPortsAreReadAsDockerDoes(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"80", "0.0.0.0:0->80/tcp"},
		{"80/udp", "0.0.0.0:0->80/udp"},
		{"80/UDP", "0.0.0.0:0->80/udp"},
		{"8080:80", "0.0.0.0:8080->80/tcp"},
		{":80", "0.0.0.0:0->80/tcp"},
		{"0:80", "0.0.0.0:0->80/tcp"},
		{"8080:80/sctp", "0.0.0.0:8080->80/sctp"},
		{"127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
		{"127.0.0.1::80", "127.0.0.1:0->80/tcp"},
		{"[127.0.0.1]:8080:80", "127.0.0.1:8080->80/tcp"},
		{"::ffff:127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
		{"8080-8081:80-81", "0.0.0.0:8080->80/tcp 0.0.0.0:8081->81/tcp"},
		{"80-81", "0.0.0.0:0->80/tcp 0.0.0.0:0->81/tcp"},
		{"65535:65535", "0.0.0.0:65535->65535/tcp"},
		{"65534-65535:1-2", "0.0.0.0:65534->1/tcp 0.0.0.0:65535->2/tcp"},
	} {
		got, err := ParsePort(tc.in)
		if s := strings.Trim(fmt.Sprint(got), "[]"); err != nil || s != tc.want {
			t.Errorf("%s: got %s (%v), want %s", tc.in, s, err, tc.want)
		}
	}
	got, err := ParsePort("8080-8090:80")
	if err != nil || len(got) != 1 || got[0].HostPort != 8080 || got[0].HostPortEnd != 8090 {
		t.Errorf("a range for one port: %+v %v", got, err)
	}
}

func TestPortsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "no port specified"},
		{"8080:", "no port specified"},
		{"8080:80/icmp", "invalid proto"},
		{"80/", "invalid proto"},
		{"abc", `invalid containerPort: "abc"`},
		{"0", `invalid containerPort: "0"`},
		{"65536", `invalid containerPort: "65536"`},
		{"x:80", `invalid hostPort: "x"`},
		{"-1:80", `invalid hostPort: "-1"`},
		{"90-80:90-80", "invalid range specified for port"},
		{"8080-8082:80-81", "invalid ranges specified for container and host Ports"},
		{"8080:80-81", "invalid ranges specified for container and host Ports"},
		{"localhost:8080:80", `invalid IP address: "localhost"`},
		{"[::1]:8080:80", "IPv6"},
		{"::1:8080:80", "IPv6"},
		{"1.2.3:8080:80", "invalid IP address"},
	} {
		if got, err := ParsePort(tc.in); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want %q", tc.in, got, err, tc.want)
		}
	}
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"80", "127.0.0.1:8080:80/tcp", "1-3:4-6/udp", "[::1]:1:2", "65535-65535:1", ":::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := ParsePort(s)
		if err == nil && len(ports) == 0 {
			t.Error("neither ports nor an error")
		}
		for _, p := range ports {
			if p.ContainerPort == 0 || p.Protocol.number() == 0 || !p.HostIP.Is4() || p.HostPortEnd != 0 && p.HostPortEnd <= p.HostPort {
				t.Errorf("%q gave %+v", s, p)
			}
		}
	})
}
