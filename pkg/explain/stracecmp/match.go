package stracecmp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/step"
)

// matches compares an event with a line of the trace, and says what differs.
func matches(e step.Event, l Line) (string, bool) {
	ours, ok := parseCall(e.Call + " = " + e.Result)
	switch {
	case !ok:
		return "explain's text is no call", false
	case ours.Name != l.Name:
		return "another call", false
	case len(ours.Args) != len(l.Args):
		return "another number of arguments", false
	}
	for i := range ours.Args {
		if !sameArg(ours.Args[i], l.Args[i]) && !answers(ours, l) {
			return "argument " + strconv.Itoa(i+1) + ": " + ours.Args[i] + " is to strace " + l.Args[i], false
		}
	}
	if !sameResult(ours, l) {
		return "result: " + ours.Result + " is to strace " + l.Result, false
	}
	return "", true
}

// comment is what strace adds to a value, such as "/* 2 vars */".
var comment = regexp.MustCompile(` /\* [^*]* \*/`)

func sameArg(ours, theirs string) bool {
	if ours == theirs {
		return true
	}
	theirs = comment.ReplaceAllString(theirs, "")
	if ours == theirs {
		return true
	}
	if strings.HasPrefix(theirs, `"`) && pointer.FindString(ours) == ours { // our own memory, which explain does not print
		return true
	}
	if head, ok := strings.CutSuffix(theirs, `"...`); ok { // strace stops at its -s
		return strings.HasPrefix(ours, head)
	}
	if strings.HasPrefix(ours, "{") && isMessage(theirs) {
		return sameWords(ours, theirs)
	}
	if hexadecimal.MatchString(theirs) { // strace has no words for it
		return strings.HasPrefix(ours, "{") || sameFlags(ours, theirs)
	}
	if head, ok := strings.CutSuffix(ours, ", filter="+pointer.FindString(ours)+"}"); ok && pointer.MatchString(ours) {
		return strings.HasPrefix(theirs, head+", filter=[")
	}
	return false
}

// answers reports an ioctl that asks: strace, which looks again afterwards,
// prints the answer too, and explain, whose text is made before the call, may
// not.
func answers(ours, theirs Line) bool {
	if ours.Name != "ioctl" || !strings.HasPrefix(ours.Args[1], "SIOCG") {
		return false
	}
	question, ok := strings.CutSuffix(ours.Args[2], "}")
	return ok && strings.HasPrefix(theirs.Args[2], question+", ")
}

var (
	pointer     = regexp.MustCompile(`0x[0-9a-f]+`)
	hexadecimal = regexp.MustCompile(`^0x[0-9a-f]+$`)
)

// sameFlags adds up the open flags that we name and strace does not (it knows
// them in open, not in ioctl).
func sameFlags(ours, theirs string) bool {
	want, err := strconv.ParseInt(theirs, 0, 64)
	if err != nil {
		return false
	}
	for _, name := range strings.Split(ours, "|") {
		bit, known := openFlags[name]
		if !known {
			return false
		}
		want -= bit
	}
	return want == 0
}

var openFlags = map[string]int64{
	"O_RDONLY": unix.O_RDONLY, "O_WRONLY": unix.O_WRONLY, "O_RDWR": unix.O_RDWR,
	"O_CLOEXEC": unix.O_CLOEXEC, "O_NOCTTY": unix.O_NOCTTY, "O_NONBLOCK": unix.O_NONBLOCK,
}

// isMessage recognizes strace's print of a netlink message or of its bytes.
func isMessage(theirs string) bool {
	return strings.Contains(theirs, "nlmsg_len=") || strings.HasPrefix(theirs, `"`)
}

// word is what sameWords looks for: a string, an address without a prefix
// length, or a constant.
var word = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\b[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\b(?:/[0-9]+)?|\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b`)

// sameWords reports whether all names, addresses and constants that we show of
// a message are in strace's print of it, in words or in bytes.
func sameWords(ours, theirs string) bool {
	for _, w := range word.FindAllString(lookup.ReplaceAllString(ours, ""), -1) {
		if strings.Contains(theirs, w) || strings.Contains(theirs, inBytes(w)) {
			continue
		}
		address := w[0] >= '0' && w[0] <= '9'
		constant := w[0] >= 'A' && w[0] <= 'Z'
		if address && strings.Contains(w, "/") || constant && strings.Contains(theirs, unknownMessage) {
			continue // a rule compares only the bytes of the prefix; bytes have no names
		}
		return false
	}
	return true
}

// lookup is a number that explain shows by what it stands for.
var lookup = regexp.MustCompile(`if_nametoindex\("[^"]*"\)`)

// unknownMessage is in strace's print of a netlink message whose family strace
// could not find out.
const unknownMessage = "nlmsg_type=0x"

// inBytes is a string or an address as strace prints bytes that it cannot
// decode.
func inBytes(w string) string {
	b := []byte(strings.Trim(w, `"`))
	if ip, err := netip.ParseAddr(w); err == nil {
		b = ip.AsSlice()
	}
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// sameResult compares return values; flags and comments behind strace's are
// left out. The error in a netlink acknowledgement counts as the result in
// explain, and is inside of the message for strace; only where the plan does
// not care which answer comes, explain's text is "{…}".
func sameResult(ours, theirs Line) bool {
	a, b := ours.Result, comment.ReplaceAllString(theirs.Result, "")
	if m := acknowledged.FindStringSubmatch(strings.Join(theirs.Args, ", ")); m != nil && !slices.Contains(ours.Args, "{…}") {
		return strings.HasPrefix(a, "-1 "+m[1]+" ")
	}
	if a == b {
		return true
	}
	if strings.HasPrefix(a, "-1 ECANCELED") && ours.Name == "read" {
		return b == "0"
	}
	x, errX := strconv.ParseInt(a, 0, 64)
	y, errY := strconv.ParseInt(strings.Fields(b + " ?")[0], 0, 64)
	return errX == nil && errY == nil && x == y
}

var acknowledged = regexp.MustCompile(`nlmsg_type=NLMSG_ERROR.*error=-(E[A-Z0-9]+)`)
