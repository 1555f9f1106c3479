package terminal

import (
	"bytes"
	"testing"
)

func TestKeysAreReadInDockersNotation(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want string
		ok   bool
	}{
		{"ctrl-p,ctrl-q", "\x10\x11", true},
		{"", "", true},
		{"a,b", "ab", true},
		{"ctrl-@,ctrl-[", "\x00\x1b", true},
		{"CTRL-A", "\x01", true},
		{"ctrl-_", "\x1f", true},
		{"ctrl-", "", false},
		{"ctrl-1", "", false},
		{"ctrl-aa", "", false},
		{"ab", "", false},
		{"a,,b", "", false},
	} {
		got, err := ParseKeys(tc.in)
		if (err == nil) != tc.ok || string(got) != tc.want {
			t.Errorf("ParseKeys(%q) = %q, %v; want %q, ok=%v", tc.in, got, err, tc.want, tc.ok)
		}
	}
}

func TestKeysThatDoNotDetachArePassedOn(t *testing.T) {
	const pq = "\x10\x11"
	for _, tc := range []struct {
		keys  string
		typed []string
		want  string
		found bool
		held  string
	}{
		{pq, []string{"ls\n"}, "ls\n", false, ""},
		{pq, []string{"\x10\x11"}, "", true, ""},
		{pq, []string{"a\x10", "\x11b"}, "a", true, ""},
		{pq, []string{"\x10"}, "", false, "\x10"},
		{pq, []string{"\x10", "x"}, "\x10x", false, ""},
		{pq, []string{"\x10\x10\x11"}, "\x10", true, ""},
		{pq, []string{"\x11\x10"}, "\x11", false, "\x10"},
		{"aab", []string{"aaab"}, "a", true, ""},
		{"abac", []string{"abab", "ac"}, "ab", true, ""},
		{"", []string{"\x10\x11"}, "\x10\x11", false, ""},
	} {
		k := NewKeys([]byte(tc.keys))
		var got []byte
		var found bool
		for _, typed := range tc.typed {
			pass, f := k.Filter([]byte(typed))
			got, found = append(got, pass...), found || f
		}
		if string(got) != tc.want || found != tc.found || string(k.Flush()) != tc.held {
			t.Errorf("%q typed with keys %q: passed %q, found %v", tc.typed, tc.keys, got, found)
		}
	}
}

// What is passed on, what is held back and the sequence itself are together
// what was typed, in whatever pieces it came.
func FuzzKeysLoseNothing(f *testing.F) {
	f.Add([]byte("\x10\x11"), []byte("abc\x10def\x10\x10\x11"), uint8(2))
	f.Add([]byte("aab"), []byte("aaaaab"), uint8(1))
	f.Fuzz(func(t *testing.T, keys, typed []byte, piece uint8) {
		k, rest := NewKeys(keys), typed
		var got []byte
		for len(rest) > 0 {
			n := min(len(rest), int(piece)+1)
			pass, found := k.Filter(rest[:n])
			got = append(got, pass...)
			if found {
				if i := bytes.Index(typed, keys); i != len(got) || !bytes.Equal(got, typed[:i]) {
					t.Fatalf("found after %q of %q, want it at %d", got, typed, i)
				}
				return
			}
			rest = rest[n:]
		}
		if len(keys) > 0 && bytes.Contains(typed, keys) {
			t.Fatalf("%q not found in %q", keys, typed)
		}
		if got = append(got, k.Flush()...); !bytes.Equal(got, typed) {
			t.Fatalf("passed on %q of %q", got, typed)
		}
	})
}
