package device

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"minictr/pkg/kernel"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// asked is one question to the filter.
type asked struct {
	kind         kind
	major, minor int64
	access       access
}

// decide is the meaning of rules, written down as simply as possible: the
// program must come to the same answer.
func decide(rules []rule, q asked) bool {
	for _, bit := range []access{read, write, mknod} {
		if q.access&bit == 0 {
			continue
		}
		allowed := false
		for _, r := range rules {
			if r.access&bit != 0 && r.kind&q.kind != 0 &&
				(r.major == wildcard || r.major == q.major) && (r.minor == wildcard || r.minor == q.minor) {
				allowed = r.allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// run interprets a program as the kernel does, and fails on what its verifier
// would refuse.
func run(t *testing.T, prog []kernel.BPFInsn, q asked) bool {
	t.Helper()
	context := map[int16]uint64{0: uint64(q.access)<<16 | uint64(q.kind), 4: uint64(q.major), 8: uint64(q.minor)}
	var r [11]uint64
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		dst, src := in.Regs&15, in.Regs>>4
		imm := uint64(int64(in.Imm))
		switch in.Code {
		case opLoad32:
			r[dst] = context[in.Off]
		case opMovReg:
			r[dst] = r[src]
		case opMov:
			r[dst] = imm
		case opAnd:
			r[dst] &= imm
		case opShift:
			r[dst] >>= imm
		case opJumpEq, opJumpNe:
			if in.Off < 0 {
				t.Fatalf("instruction %d jumps back", pc)
			}
			if (r[dst] == imm) == (in.Code == opJumpEq) {
				pc += int(in.Off)
			}
		case opExit:
			return r[result] == 1
		default:
			t.Fatalf("instruction %d has code %#x", pc, in.Code)
		}
	}
	t.Fatal("the program runs over its end")
	return false
}

func TestTheProgramDecidesAsTheRulesMean(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(n ...int64) int64 { return n[random.IntN(len(n))] }
	for range 3000 {
		var rules []rule
		for range random.IntN(7) {
			rules = append(rules, rule{
				allow: random.IntN(2) == 0, kind: kind(pick(1, 2, 3)),
				major: pick(wildcard, 1, 8), minor: pick(wildcard, 3, 5), access: access(pick(1, 2, 3, 4, 5, 6, 7, 7, 7)),
			})
		}
		prog := program(rules)
		for range 40 {
			q := asked{kind(pick(1, 2)), pick(1, 8, 9), pick(3, 5, 6), access(pick(1, 2, 4, 6))}
			if got, want := run(t, prog, q), decide(rules, q); got != want {
				t.Fatalf("%v, asked %+v: the program says %v", rules, q, got)
			}
		}
	}
}

func TestAllOfTheProgramCanBeReached(t *testing.T) {
	for _, rules := range [][]rule{
		nil,
		{{allow: true, kind: both, major: wildcard, minor: wildcard, access: all}},
		{{allow: true, kind: char, major: 1, minor: 3, access: all}, {kind: both, major: wildcard, minor: wildcard, access: all}},
	} {
		prog := program(rules)
		reached := map[int]bool{0: true}
		for i, in := range prog {
			if !reached[i] {
				t.Errorf("%v: instruction %d of %d is never reached; the kernel refuses that", rules, i, len(prog))
			}
			switch in.Code {
			case opExit:
			case opJumpEq, opJumpNe:
				reached[i+1+int(in.Off)], reached[i+1] = true, true
			default:
				reached[i+1] = true
			}
		}
		if reached[len(prog)] {
			t.Errorf("%v: the program runs over its end", rules)
		}
	}
}

func TestDefaultsAllowTheHarmlessAlone(t *testing.T) {
	rules, err := withAlways([]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}})
	if err != nil {
		t.Fatal(err)
	}
	prog := program(rules)
	for _, tc := range []struct {
		q    asked
		want bool
	}{
		{asked{char, 1, 3, read | write}, true},
		{asked{char, 136, 77, read | write}, true},
		{asked{char, 5, 2, read | write}, true},
		{asked{block, 8, 0, mknod}, true},
		{asked{block, 8, 0, read}, false},
		{asked{block, 1, 3, read}, false},    // the numbers of null, as a disk
		{asked{char, 1, 1, read}, false},     // mem
		{asked{char, 1, 11, read}, false},    // kmsg
		{asked{char, 10, 200, write}, false}, // tun
		{asked{char, 10, 229, read}, false},  // fuse
	} {
		if got := run(t, prog, tc.q); got != tc.want {
			t.Errorf("%+v is allowed: %v", tc.q, got)
		}
	}
}

func TestAPrivilegedContainerNeedsNoFilter(t *testing.T) {
	s, err := Filter([]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, "cgroup")
	if err != nil || len(s.Calls) != 0 {
		t.Errorf("%d calls, %v", len(s.Calls), err)
	}
	minor := int64(3)
	s, err = Filter([]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, {Allow: false, Type: "b", Minor: &minor, Access: "w"}}, "cgroup")
	if err != nil || len(s.Calls) == 0 {
		t.Errorf("with a device denied: %d calls, %v", len(s.Calls), err)
	}
}

func TestRulesBecomeLinesOfV1(t *testing.T) {
	var list []specs.LinuxDeviceCgroup
	err := json.Unmarshal([]byte(`[
		{"allow": false, "access": "rwm"},
		{"allow": true, "type": "c", "major": 10, "minor": 200, "access": "wr"},
		{"allow": true, "major": 8, "access": "r"},
		{"allow": false, "type": "b", "major": -1, "minor": 1}]`), &list)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := check(list)
	if err != nil {
		t.Fatal(err)
	}
	want := []line{
		{"devices.deny", "a"},
		{"devices.deny", "a"},
		{"devices.allow", "c 10:200 rw"},
		{"devices.allow", "b 8:* r"},
		{"devices.allow", "c 8:* r"},
		{"devices.deny", "b *:1 rwm"},
	}
	got := lines(rules)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestRulesThatAreNotUnderstoodAreRefused(t *testing.T) {
	big, negative := int64(maxMajor+1), int64(-2)
	for _, d := range []specs.LinuxDeviceCgroup{
		{Allow: true, Type: "x", Access: "r"},
		{Allow: true, Type: "c", Access: "q"},
		{Allow: true, Type: "c"},
		{Allow: true, Type: "c", Major: &big, Access: "r"},
		{Allow: true, Type: "c", Minor: &negative, Access: "r"},
	} {
		if _, err := Filter([]specs.LinuxDeviceCgroup{d}, "cgroup"); err == nil {
			t.Errorf("%+v is accepted", d)
		}
	}
}

func TestRulesOnTheCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"c 1:3 rwm": "c 1:3 rwm", "b 8:* r": "b 8:* r", "a *:* rwm": "a *:* rwm", "c *:7 mr": "c *:7 rm",
		"c 1:3": "", "c 1 rwm": "", "x 1:3 r": "", "c 1:3 z": "", "c -1:3 r": "", "": "", "c 1:99999999 r": "", "c : r": "",
	} {
		d, err := ParseRule(text)
		got := ""
		if err == nil {
			r, e := checkOne(d)
			if e != nil || !r.allow {
				t.Errorf("%q became %+v, %v", text, r, e)
			}
			got = r.String()
		}
		if got != want {
			t.Errorf("%q became %q (%v), want %q", text, got, err, want)
		}
	}
}

func FuzzRule(f *testing.F) {
	f.Add("c 1:3 rwm")
	f.Add("b *:* m")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseRule(text)
		if err != nil {
			return
		}
		r, err := checkOne(d)
		if err != nil {
			t.Fatalf("%q passes the parser alone: %v", text, err)
		}
		again, err := ParseRule(r.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, r, err)
		}
		if r2, err := checkOne(again); err != nil || r2 != r {
			t.Errorf("%q is %+v, printed and read again %+v (%v)", text, r, r2, err)
		}
	})
}
