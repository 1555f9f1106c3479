package systemd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// errMalformed is an answer that is no D-Bus.
var errMalformed = errors.New("systemd's answer is no D-Bus message")

// answer is what we want to know of a message that systemd sends.
type answer struct {
	kind    byte
	serial  uint32 // of the call that it answers
	member  string
	name    string // of an error
	strings []string
}

// limit is the size of the longest message that D-Bus allows.
const limit = 128 << 20

// split takes the first whole message from b. ok is false if there is none yet.
func split(b []byte) (message, rest []byte, ok bool, err error) {
	if len(b) < 16 {
		return nil, b, false, nil
	}
	if b[0] != 'l' {
		return nil, nil, false, errMalformed
	}
	body, fields := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[12:]))
	if body > limit || fields > limit {
		return nil, nil, false, errMalformed
	}
	size := (16+fields+7)/8*8 + body
	if len(b) < size {
		return nil, b, false, nil
	}
	return b[:size], b[size:], true, nil
}

// decoder reads values. Past the end, or at something it does not expect, it is
// broken for good and returns zero values.
type decoder struct {
	b      []byte
	at     int
	broken bool
}

func (d *decoder) take(n int) []byte {
	if d.broken || n < 0 || d.at+n > len(d.b) {
		d.broken = true
		return make([]byte, min(max(n, 0), 8))
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) align(n int) { d.take((n - d.at%n) % n) }

func (d *decoder) u32() uint32 {
	d.align(4)
	return binary.LittleEndian.Uint32(d.take(4))
}

func (d *decoder) text() string {
	n := int(d.u32())
	s := string(d.take(n))
	d.take(1)
	return s
}

func (d *decoder) signature() string {
	n := int(d.take(1)[0])
	s := string(d.take(n))
	d.take(1)
	return s
}

// read takes a message apart: what its header says, and the strings of its body
// up to the first value that is no string, object path or number.
func read(message []byte) (answer, error) {
	d := &decoder{b: message}
	a := answer{kind: d.take(2)[1]}
	d.at = 12
	end := 16 + int(d.u32())
	signature := ""
	for !d.broken && d.at < end {
		d.align(8)
		code, kind := d.take(1)[0], d.signature()
		text, number := "", uint32(0)
		switch kind {
		case "s", "o":
			text = d.text()
		case "g":
			text = d.signature()
		case "u":
			number = d.u32()
		default:
			return a, errMalformed
		}
		switch code {
		case fieldReplySerial:
			a.serial = number
		case fieldMember:
			a.member = text
		case fieldErrorName:
			a.name = text
		case fieldSignature:
			signature = text
		}
	}
	d.align(8)
	for _, kind := range signature {
		switch kind {
		case 's', 'o':
			a.strings = append(a.strings, d.text())
			continue
		case 'u':
			d.u32()
			continue
		}
		break
	}
	if d.broken {
		return a, errMalformed
	}
	return a, nil
}

// conversation follows systemd's answers until it is clear what has become of
// our call.
type conversation struct {
	waits bool // for the job that the call starts
	heard []byte
	said  bool   // authentication has been accepted
	job   string // the job that our call has started
	ended map[string]string
}

// hear takes in what has been received. over tells that there is no more to
// wait for.
func (c *conversation) hear(b []byte) (over bool, err error) {
	c.heard = append(c.heard, b...)
	if !c.said {
		line, rest, whole := strings.Cut(string(c.heard), "\r\n")
		if !whole {
			return false, nil
		}
		if !strings.HasPrefix(line, "OK ") {
			return true, fmt.Errorf("systemd does not let us in: %q", line)
		}
		c.said, c.heard = true, []byte(rest)
	}
	for {
		message, rest, ok, err := split(c.heard)
		if err != nil || !ok {
			return err != nil, err
		}
		c.heard = rest
		a, err := read(message)
		if err != nil {
			return true, err
		}
		if over, err := c.follow(a); over || err != nil {
			return true, err
		}
	}
}

func (c *conversation) follow(a answer) (over bool, err error) {
	switch {
	case a.kind == typeError && a.serial == serial:
		return true, fmt.Errorf("systemd refuses: %s", strings.Join(append(a.strings, "("+a.name+")"), " "))
	case a.kind == typeReturn && a.serial == serial:
		if !c.waits {
			return true, nil
		}
		if len(a.strings) == 0 {
			return true, errMalformed
		}
		c.job = a.strings[0]
	case a.kind == typeSignal && a.member == "JobRemoved" && len(a.strings) == 3: // job, unit, result
		if c.ended == nil {
			c.ended = make(map[string]string)
		}
		c.ended[a.strings[0]] = a.strings[2]
	}
	result, known := c.ended[c.job]
	switch {
	case c.job == "" || !known:
		return false, nil
	case result != "done":
		return true, fmt.Errorf("systemd could not make the unit: its job ended with %q", result)
	}
	return true, nil
}
