package logging

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// syslog sends each line as one message, in one of the forms that docker
// offers:
//
//	""            <30>May  1 12:00:00 tag[42]: text        what programs write to /dev/log
//	rfc3164       <30>May  1 12:00:00 host tag[42]: text   the same over the network
//	rfc5424       <30>1 2024-05-01T12:00:00Z host tag 42 tag - text
//	rfc5424micro  with microseconds in its time
//
// In front is the priority: the facility times eight, and how severe it is.
type syslog struct {
	remote
	config   Config
	hostname string
	pid      string
	buf      []byte
}

// localSockets are where a syslog daemon on this host listens.
var localSockets = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

func openSyslog(c Config) (*syslog, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the host's name: %w", err)
	}
	s := &syslog{config: c, hostname: host, pid: strconv.Itoa(os.Getpid())}
	if c.Address == "" {
		return s, s.dialLocal()
	}
	scheme, rest, _ := strings.Cut(c.Address, "://")
	s.network, s.address = scheme, rest
	if err := s.dial(); err != nil {
		return nil, fmt.Errorf("connect to syslog at %s: %w", c.Address, err)
	}
	return s, nil
}

func (s *syslog) dialLocal() error {
	for _, s.address = range localSockets {
		for _, s.network = range []string{"unixgram", "unix"} {
			if s.dial() == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("no syslog daemon listens on this host (%s)", strings.Join(localSockets, ", "))
}

func (s *syslog) add(line []byte, stream string, when time.Time) {
	text, _ := chomp(line)
	if len(text) == 0 {
		return // docker sends nothing for an empty line, nor for the newline behind a part that fills an entry
	}
	b := append(s.buf[:0], '<')
	b = strconv.AppendInt(b, int64(s.config.Facility<<3|severity(stream)), 10)
	b = append(b, '>')
	b = s.header(b, when)
	b = append(b, text...)
	s.buf = append(b, '\n')
	s.send(s.buf)
}

func (s *syslog) header(b []byte, when time.Time) []byte {
	tag := s.config.Tag
	switch s.config.Format {
	case "rfc5424", "rfc5424micro":
		layout := time.RFC3339
		if s.config.Format == "rfc5424micro" {
			layout = "2006-01-02T15:04:05.000000Z07:00"
		}
		b = when.AppendFormat(append(b, "1 "...), layout)
		return append(b, " "+s.hostname+" "+tag+" "+s.pid+" "+tag+" - "...)
	case "rfc3164":
		b = when.AppendFormat(b, time.Stamp)
		return append(b, " "+s.hostname+" "+tag+"["+s.pid+"]: "...)
	}
	b = when.AppendFormat(b, time.Stamp)
	return append(b, " "+tag+"["+s.pid+"]: "...)
}

func (s *syslog) flush() {}
