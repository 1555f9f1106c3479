package device

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// kind and access have the bits of struct bpf_cgroup_dev_ctx (linux/bpf.h).
type (
	kind   uint8
	access uint8
)

const (
	block kind = 1
	char  kind = 2
	both  kind = block | char

	mknod access = 1
	read  access = 2
	write access = 4
	all   access = mknod | read | write
)

// wildcard stands for any device number.
const wildcard = -1

// Device numbers have 12 and 20 bits in Linux (MINORBITS).
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// rule is a specs.LinuxDeviceCgroup that has been checked.
type rule struct {
	allow        bool
	kind         kind
	major, minor int64 // or wildcard
	access       access
}

// total reports a rule about everything: those before it do not matter.
func (r rule) total() bool {
	return r.kind == both && r.major == wildcard && r.minor == wildcard && r.access == all
}

// Always are the rules that each container gets behind its own: any node may
// be made, and the harmless ones, and terminals, may be used.
func Always() []specs.LinuxDeviceCgroup {
	allow := func(typ string, major, minor int64, access string) specs.LinuxDeviceCgroup {
		r := specs.LinuxDeviceCgroup{Allow: true, Type: typ, Access: access}
		if major != wildcard {
			r.Major = &major
		}
		if minor != wildcard {
			r.Minor = &minor
		}
		return r
	}
	return []specs.LinuxDeviceCgroup{
		allow("c", wildcard, wildcard, "m"),
		allow("b", wildcard, wildcard, "m"),
		allow("c", 1, 3, "rwm"),          // null
		allow("c", 1, 5, "rwm"),          // zero
		allow("c", 1, 7, "rwm"),          // full
		allow("c", 1, 8, "rwm"),          // random
		allow("c", 1, 9, "rwm"),          // urandom
		allow("c", 5, 0, "rwm"),          // tty
		allow("c", 5, 2, "rwm"),          // ptmx
		allow("c", 136, wildcard, "rwm"), // pts/*
	}
}

// check translates rules. Nothing is guessed: a rule that is not understood is
// an error, for it may have been meant to deny.
func check(list []specs.LinuxDeviceCgroup) ([]rule, error) {
	rules := make([]rule, 0, len(list))
	for i, d := range list {
		r, err := checkOne(d)
		if err != nil {
			return nil, fmt.Errorf("device rule %d: %w", i+1, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func checkOne(d specs.LinuxDeviceCgroup) (rule, error) {
	r := rule{allow: d.Allow}
	var err error
	switch d.Type {
	case "", "a":
		r.kind = both
	case "b":
		r.kind = block
	case "c", "u":
		r.kind = char
	default:
		return rule{}, fmt.Errorf("type %q is none of a, b, c, u", d.Type)
	}
	if r.major, err = devnum("major", d.Major, maxMajor); err != nil {
		return rule{}, err
	}
	if r.minor, err = devnum("minor", d.Minor, maxMinor); err != nil {
		return rule{}, err
	}
	r.access, err = parseAccess(d.Access)
	if d.Access == "" && !d.Allow {
		r.access, err = all, nil // to deny nothing makes no sense
	}
	return r, err
}

// devnum: no number, and by an older custom -1, is a wildcard.
func devnum(name string, n *int64, most int64) (int64, error) {
	if n == nil || *n == wildcard {
		return wildcard, nil
	}
	if *n < 0 || *n > most {
		return 0, fmt.Errorf("%s number %d is not in 0..%d", name, *n, most)
	}
	return *n, nil
}

func parseAccess(s string) (access, error) {
	var a access
	for _, c := range s {
		switch c {
		case 'r':
			a |= read
		case 'w':
			a |= write
		case 'm':
			a |= mknod
		default:
			return 0, fmt.Errorf("access %q: %q is none of r, w, m", s, c)
		}
	}
	if a == 0 {
		return 0, fmt.Errorf("access is empty, want some of r, w, m")
	}
	return a, nil
}

// ParseRule reads a rule as docker's --device-cgroup-rule takes it, and as
// v1's devices.allow does: "c 1:3 rwm", with * for any number.
func ParseRule(s string) (specs.LinuxDeviceCgroup, error) {
	bad := func(why string) (specs.LinuxDeviceCgroup, error) {
		return specs.LinuxDeviceCgroup{}, fmt.Errorf("device rule %q: %s (want for example \"c 1:3 rwm\" or \"b 8:* r\")", s, why)
	}
	f := strings.Fields(s)
	if len(f) != 3 {
		return bad("it is not a type, numbers and access")
	}
	majorText, minorText, ok := strings.Cut(f[1], ":")
	if !ok {
		return bad("the numbers lack a colon")
	}
	d := specs.LinuxDeviceCgroup{Allow: true, Type: f[0], Access: f[2]}
	for _, n := range []struct {
		text string
		into **int64
	}{{majorText, &d.Major}, {minorText, &d.Minor}} {
		if n.text == "*" {
			continue
		}
		v, err := strconv.ParseUint(n.text, 10, 31)
		if err != nil {
			return bad(fmt.Sprintf("%q is no number and not *", n.text))
		}
		signed := int64(v)
		*n.into = &signed
	}
	if d.Type != "a" && d.Type != "b" && d.Type != "c" {
		return bad("the type is none of a, b, c")
	}
	if _, err := checkOne(d); err != nil {
		return bad(err.Error())
	}
	return d, nil
}

// String prints the rule as v1 writes it, "c 1:3 rwm".
func (r rule) String() string {
	star := func(n int64) string {
		if n == wildcard {
			return "*"
		}
		return strconv.FormatInt(n, 10)
	}
	text := map[kind]string{block: "b", char: "c", both: "a"}[r.kind] + " " + star(r.major) + ":" + star(r.minor) + " "
	for _, a := range []struct {
		bit  access
		name string
	}{{read, "r"}, {write, "w"}, {mknod, "m"}} {
		if r.access&a.bit != 0 {
			text += a.name
		}
	}
	return text
}
