package explain

import (
	"strings"
	"testing"
)

func TestLongArgumentsAreShortenedVisibly(t *testing.T) {
	long := strings.Repeat("abcdefghij", 10)
	for _, tc := range []struct{ in, want string }{
		{`mkdirat(AT_FDCWD, "/short", 0755)`, `mkdirat(AT_FDCWD, "/short", 0755)`},
		{`chdir("` + long + `")`, `chdir("` + long[:39] + "…" + long[77:] + `")`},
		{`chdir("` + strings.Repeat(`\33`, 100) + `")`, `chdir("` + strings.Repeat(`\33`, 39) + "…" + strings.Repeat(`\33`, 23) + `")`},
		{"f([" + strings.Repeat("1, ", 100) + "1], 2)", "f([" + strings.Repeat("1, ", 80) + "…], 2)"},
		{"f({a=1, b=[" + strings.Repeat("1, ", 100) + "1], c=2}, 2)", "f({a=1, b=[" + strings.Repeat("1, ", 77) + "1…}, 2)"},
		{`f("unterminated`, `f("unterminated`},
	} {
		if got := shorten(tc.in); got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.in, got, tc.want)
		}
	}
}

func TestCallsBreakBetweenArguments(t *testing.T) {
	got := wrap(`mount("a, b | c", "/mnt", "tmpfs", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL) = 0`, 30)
	want := []string{`mount("a, b | c", "/mnt",`, `"tmpfs", MS_NOSUID|MS_NODEV|`, `MS_NOEXEC, NULL) = 0`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// FuzzLayoutLosesNothing: wrapping only adds line breaks, and shortening never
// makes a text longer or hides that something is missing.
func FuzzLayoutLosesNothing(f *testing.F) {
	f.Add(`execve("/bin/sh", ["sh", "-c", "echo \"\33[1m\""], ["A=b"])`, 20)
	f.Add(`sendto(3, {{a={b=[1, 2, 3`+strings.Repeat(", 1", 99)+`]}}}, 9)`, 7)
	f.Fuzz(func(t *testing.T, s string, width int) {
		s = clean(s)
		flat := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := strings.Join(wrap(s, width%200), ""); flat(got) != flat(s) {
			t.Errorf("wrapped %q to %q", s, got)
		}
		short := shorten(s)
		if short != s && (!strings.Contains(short, "…") || len(short) > len(s)+len("…")) {
			t.Errorf("shortened %q to %q", s, short)
		}
	})
}
