package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Arg is one argument of a call: it knows how strace prints it and which
// machine word the kernel is given.
type Arg interface {
	text(slots map[Slot]uintptr) string
	word(t *table) operand
}

// operand is a compiled argument: an immediate word, or the slot whose value
// the interpreter fills in.
type operand struct {
	word uintptr
	slot int16 // index into the table's slots, -1 for an immediate
}

func immediate(w uintptr) operand { return operand{word: w, slot: -1} }

// Int is a decimal number.
type Int int64

func (v Int) text(map[Slot]uintptr) string { return strconv.FormatInt(int64(v), 10) }
func (v Int) word(*table) operand          { return immediate(uintptr(v)) }

// Octal is a file mode.
type Octal uint32

func (v Octal) text(map[Slot]uintptr) string {
	if v == 0 {
		return "000"
	}
	return fmt.Sprintf("%#o", uint32(v))
}
func (v Octal) word(*table) operand { return immediate(uintptr(v)) }

// Hex is a number whose bits matter, such as a device number.
type Hex uint64

func (v Hex) text(map[Slot]uintptr) string { return hexText(uint64(v)) }
func (v Hex) word(*table) operand          { return immediate(uintptr(v)) }

// hexText prints v as C's %#x does: zero has no prefix.
func hexText(v uint64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

// Named is a constant with the name a manual page gives it.
type Named struct {
	Name  string
	Value uintptr
}

func (v Named) text(map[Slot]uintptr) string { return v.Name }
func (v Named) word(*table) operand          { return immediate(v.Value) }

// Null is the NULL pointer.
var Null Arg = Named{"NULL", 0}

// AtFDCWD is AT_FDCWD: relative to the current working directory.
var AtFDCWD Arg = Named{"AT_FDCWD", atFDCWD}

const atFDCWD = ^uintptr(99) // -100 in two's complement

// Str is a NUL-terminated string. A string holding a NUL byte is refused when
// the table is compiled, for the kernel would read only a part of it.
type Str string

func (v Str) text(map[Slot]uintptr) string { return quote([]byte(v), math.MaxInt) }
func (v Str) word(t *table) operand {
	if strings.IndexByte(string(v), 0) >= 0 {
		t.refuse("a string argument holds a NUL byte: %q", string(v))
	}
	b := make([]byte, len(v)+1)
	copy(b, v)
	return t.pointer(unsafe.Pointer(&b[0]))
}

// StrOrNull is Str, or NULL for the empty string (mount's source and data).
func StrOrNull(s string) Arg {
	if s == "" {
		return Null
	}
	return Str(s)
}

// Bytes is a buffer that the kernel reads.
type Bytes []byte

func (v Bytes) text(map[Slot]uintptr) string { return quote(v, 4096) }
func (v Bytes) word(t *table) operand {
	if len(v) == 0 {
		return t.pointer(unsafe.Pointer(new(byte)))
	}
	return t.pointer(unsafe.Pointer(&v[0]))
}

// Strings is a NULL-terminated vector of strings, as execve takes them.
type Strings []string

func (v Strings) text(map[Slot]uintptr) string {
	q := make([]string, len(v))
	for i, s := range v {
		q[i] = quote([]byte(s), math.MaxInt)
	}
	return "[" + strings.Join(q, ", ") + "]"
}

func (v Strings) word(t *table) operand {
	vec := make([]*byte, len(v)+1)
	for i, s := range v {
		if strings.IndexByte(s, 0) >= 0 {
			t.refuse("a string argument holds a NUL byte: %q", s)
		}
		b := make([]byte, len(s)+1)
		copy(b, s)
		vec[i] = &b[0]
	}
	return t.pointer(unsafe.Pointer(&vec[0]))
}

// memory is a structure or buffer passed by address, with the text strace
// would show for it.
type memory struct {
	ptr  unsafe.Pointer
	show func() string
}

func (v memory) text(map[Slot]uintptr) string { return v.show() }
func (v memory) word(t *table) operand        { return t.pointer(v.ptr) }

// slotArg is the result of an earlier call.
type slotArg Slot

// FD passes the file descriptor that an earlier call saved in slot s.
func FD(s Slot) Arg { return slotArg(s) }

func (v slotArg) text(slots map[Slot]uintptr) string {
	if n, ok := slots[Slot(v)]; ok {
		return formatRet(n)
	}
	return "<" + string(v) + ">"
}
func (v slotArg) word(t *table) operand { return t.slot(Slot(v)) }

// besideArg is the number before or after a descriptor that is known when the
// table is compiled.
type besideArg struct {
	slot  Slot
	shift int
}

func (v besideArg) text(slots map[Slot]uintptr) string {
	if n, ok := slots[v.slot]; ok {
		return formatRet(n + uintptr(v.shift))
	}
	return fmt.Sprintf("<%s>%+d", v.slot, v.shift)
}
func (v besideArg) word(t *table) operand { return immediate(t.parents(v.slot) + uintptr(v.shift)) }

// flagSet is a word of named bits.
type flagSet struct {
	value uint64
	names []flagName
	zero  string // how no bit at all is printed
}

type flagName struct {
	bit  uint64
	name string
}

func (v flagSet) text(map[Slot]uintptr) string { return flagText(v.value, v.names, v.zero) }
func (v flagSet) word(*table) operand          { return immediate(uintptr(v.value)) }

// flagText joins the names of the bits in value with "|"; bits without a name
// stand at the end as one hexadecimal number.
func flagText(value uint64, names []flagName, zero string) string {
	if value == 0 {
		return zero
	}
	var parts []string
	for _, f := range names {
		if f.bit != 0 && value&f.bit == f.bit {
			parts = append(parts, f.name)
			value &^= f.bit
		}
	}
	if value != 0 {
		parts = append(parts, fmt.Sprintf("%#x", value))
	}
	return strings.Join(parts, "|")
}

// quote prints b as a C string literal of at most limit bytes, the way strace
// does: printable ASCII as it is, the rest escaped in octal.
func quote(b []byte, limit int) string {
	var s strings.Builder
	s.Grow(len(b) + 2)
	s.WriteByte('"')
	for i, c := range b {
		if i == limit {
			break
		}
		switch {
		case c == '"' || c == '\\':
			s.WriteByte('\\')
			s.WriteByte(c)
		case c == '\n':
			s.WriteString(`\n`)
		case c == '\t':
			s.WriteString(`\t`)
		case c == '\r':
			s.WriteString(`\r`)
		case c == '\v':
			s.WriteString(`\v`)
		case c == '\f':
			s.WriteString(`\f`)
		case c >= ' ' && c < 0x7f:
			s.WriteByte(c)
		case i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '7':
			fmt.Fprintf(&s, `\%03o`, c)
		default:
			fmt.Fprintf(&s, `\%o`, c)
		}
	}
	s.WriteByte('"')
	if len(b) > limit {
		s.WriteString("...")
	}
	return s.String()
}

// formatRet prints a returned word: small ones in decimal.
func formatRet(r uintptr) string { return strconv.FormatInt(int64(r), 10) }

// Path is a string with results of the parent's calls in it, for files like
// /proc/<pid>/uid_map. Its elements are strings and Slots.
type Path []any

func (v Path) join(value func(Slot) string) string {
	var b strings.Builder
	for _, part := range v {
		if s, ok := part.(Slot); ok {
			b.WriteString(value(s))
		} else {
			fmt.Fprint(&b, part)
		}
	}
	return b.String()
}

func (v Path) text(slots map[Slot]uintptr) string {
	return quote([]byte(v.join(func(s Slot) string { return slotArg(s).text(slots) })), math.MaxInt)
}

func (v Path) word(t *table) operand {
	return Str(v.join(func(s Slot) string { return formatRet(t.parents(s)) })).word(t)
}

// Message is a buffer with results of the parent's calls in it: a netlink
// message that names a process by its pid, say.
type Message struct {
	Bytes   []byte
	Patches []Patch
	Show    string // what the message says, printed in braces; %s for each patched value
}

// Patch puts a slot's value, as a 32-bit integer in host byte order, at Offset.
type Patch struct {
	Offset int
	Slot   Slot
}

func (v *Message) text(slots map[Slot]uintptr) string {
	values := make([]any, len(v.Patches))
	for i, p := range v.Patches {
		values[i] = slotArg(p.Slot).text(slots)
	}
	if len(values) == 0 {
		return "{" + v.Show + "}"
	}
	return "{" + fmt.Sprintf(v.Show, values...) + "}"
}

func (v *Message) word(t *table) operand {
	b := append([]byte(nil), v.Bytes...)
	for _, p := range v.Patches {
		binary.NativeEndian.PutUint32(b[p.Offset:], uint32(t.parents(p.Slot)))
	}
	return t.pointer(unsafe.Pointer(unsafe.SliceData(b)))
}
