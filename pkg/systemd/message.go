package systemd

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Property is one property of a unit. Its value is one of the types that a
// message can hold: string, bool, uint32, uint64, int32, int64, []byte, []uint32.
type Property struct {
	Name  string
	Value any
}

func (p Property) String() string {
	switch v := p.Value.(type) {
	case string:
		return fmt.Sprintf("%s=%q", p.Name, v)
	case []byte:
		return fmt.Sprintf("%s=%#x", p.Name, v)
	}
	return fmt.Sprintf("%s=%v", p.Name, p.Value)
}

// The manager's object, and what its messages are called.
const (
	destination = "org.freedesktop.systemd1"
	object      = "/org/freedesktop/systemd1"
	manager     = "org.freedesktop.systemd1.Manager"
)

// Header fields and types of messages (D-Bus specification, "Message Format").
const (
	fieldPath, fieldInterface, fieldMember, fieldErrorName      = 1, 2, 3, 4
	fieldReplySerial, fieldDestination, fieldSignature          = 5, 6, 8
	typeCall, typeReturn, typeError, typeSignal            byte = 1, 2, 3, 4
)

// serial is the number of our one message in a conversation.
const serial = 1

// encoder appends values as D-Bus marshals them: little-endian, each aligned to
// its size, counted from the beginning of the message.
type encoder struct{ b []byte }

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) u32(v uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, v)
}

func (e *encoder) u64(v uint64) {
	e.align(8)
	e.b = binary.LittleEndian.AppendUint64(e.b, v)
}

func (e *encoder) text(s string) {
	e.u32(uint32(len(s)))
	e.b = append(append(e.b, s...), 0)
}

func (e *encoder) signature(s string) {
	e.b = append(append(append(e.b, byte(len(s))), s...), 0)
}

// array writes what elements writes, with its length in front. Elements begin
// at a multiple of alignment, and the way there does not count.
func (e *encoder) array(alignment int, elements func()) {
	e.u32(0)
	at := len(e.b) - 4
	e.align(alignment)
	from := len(e.b)
	elements()
	binary.LittleEndian.PutUint32(e.b[at:], uint32(len(e.b)-from))
}

// value writes a variant: the signature of what it holds, and that.
func (e *encoder) value(v any) {
	switch v := v.(type) {
	case string:
		e.signature("s")
		e.text(v)
	case bool:
		e.signature("b")
		n := uint32(0)
		if v {
			n = 1
		}
		e.u32(n)
	case uint32:
		e.signature("u")
		e.u32(v)
	case int32:
		e.signature("i")
		e.u32(uint32(v))
	case uint64:
		e.signature("t")
		e.u64(v)
	case int64:
		e.signature("x")
		e.u64(uint64(v))
	case []byte:
		e.signature("ay")
		e.array(1, func() { e.b = append(e.b, v...) })
	case []uint32:
		e.signature("au")
		e.array(4, func() {
			for _, n := range v {
				e.u32(n)
			}
		})
	default:
		panic(fmt.Sprintf("systemd: a property cannot be a %T", v))
	}
}

func (e *encoder) properties(list []Property) {
	e.array(8, func() {
		for _, p := range list {
			e.align(8)
			e.text(p.Name)
			e.value(p.Value)
		}
	})
}

// Encode is a call of one of the manager's methods: a whole message.
func Encode(method, signature string, body []byte) []byte {
	e := &encoder{b: []byte{'l', typeCall, 0, 1}}
	e.u32(uint32(len(body)))
	e.u32(serial)
	field := func(code byte, signature string, write func()) {
		e.align(8)
		e.b = append(e.b, code)
		e.signature(signature)
		write()
	}
	e.array(8, func() {
		field(fieldPath, "o", func() { e.text(object) })
		field(fieldDestination, "s", func() { e.text(destination) })
		field(fieldInterface, "s", func() { e.text(manager) })
		field(fieldMember, "s", func() { e.text(method) })
		field(fieldSignature, "g", func() { e.signature(signature) })
	})
	e.align(8)
	return append(e.b, body...)
}

// show is the message for people.
func show(method string, arguments ...string) string {
	return manager + "." + method + "(" + strings.Join(arguments, ", ") + ")"
}
