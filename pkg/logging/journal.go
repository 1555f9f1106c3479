package logging

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JournalSocket is where systemd's journal takes entries.
const JournalSocket = "/run/systemd/journal/socket"

// journal sends each line as one datagram of journald's native protocol:
// fields NAME=VALUE, a line each; where a value holds a newline, NAME, a
// newline, the value's length in eight bytes, the lowest first, and the value.
type journal struct {
	remote
	fixed   []byte // the fields that say whose entry it is
	buf     []byte
	epoch   string
	ordinal uint64
}

func openJournal(c Config) (*journal, error) {
	j := &journal{remote: remote{network: "unixgram", address: c.Address}}
	if j.address == "" {
		j.address = JournalSocket
	}
	if _, err := os.Stat(j.address); err != nil {
		return nil, fmt.Errorf("journald is not enabled on this host: %w", err)
	}
	if err := j.dial(); err != nil {
		return nil, fmt.Errorf("connect to journald: %w", err)
	}
	j.epoch = time.Now().UTC().Format(time.RFC3339Nano)
	for _, f := range [][2]string{
		{"CONTAINER_ID", c.ID[:min(12, len(c.ID))]},
		{"CONTAINER_ID_FULL", c.ID},
		{"CONTAINER_NAME", c.Name},
		{"CONTAINER_TAG", c.Tag},
		{"IMAGE_NAME", c.Image},
		{"SYSLOG_IDENTIFIER", c.Tag},
	} {
		j.fixed = appendField(j.fixed, f[0], []byte(f[1]))
	}
	var names []string
	for name := range c.Attrs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if field := fieldName(name); field != "" {
			j.fixed = appendField(j.fixed, field, []byte(c.Attrs[name]))
		}
	}
	return j, nil
}

// fieldName makes of a label a name that the journal accepts: capitals, digits
// and underscores, and no underscore in front.
func fieldName(label string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, label)
	return strings.TrimLeft(name, "_")
}

func appendField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	if slices.Contains(value, '\n') {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	return append(append(b, value...), '\n')
}

// Priorities of syslog(3), by which the journal too sorts.
const (
	severityError = 3
	severityInfo  = 6
)

func severity(stream string) int {
	if stream == Stderr {
		return severityError
	}
	return severityInfo
}

func (j *journal) add(line []byte, stream string, when time.Time) {
	text, whole := chomp(line)
	j.ordinal++
	b := append(j.buf[:0], j.fixed...)
	b = appendField(b, "PRIORITY", strconv.AppendInt(nil, int64(severity(stream)), 10))
	b = appendField(b, "SYSLOG_TIMESTAMP", []byte(when.UTC().Format(time.RFC3339Nano)))
	b = appendField(b, "CONTAINER_LOG_EPOCH", []byte(j.epoch))
	b = appendField(b, "CONTAINER_LOG_ORDINAL", strconv.AppendUint(nil, j.ordinal, 10))
	if !whole {
		b = appendField(b, "CONTAINER_PARTIAL_MESSAGE", []byte("true"))
	}
	j.buf = appendField(b, "MESSAGE", text)
	j.send(j.buf)
}

func (j *journal) flush() {}
