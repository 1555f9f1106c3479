package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filters are what --filter asks for: each key with the values given for it.
// Values of one key are alternatives, different keys must all agree; only of
// labels every one must be there.
type Filters map[string][]string

// Add reads one KEY=VALUE.
func (f *Filters) Add(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("bad format of filter (expected name=value)")
	}
	if *f == nil {
		*f = make(Filters)
	}
	key = strings.ToLower(strings.TrimSpace(key))
	(*f)[key] = append((*f)[key], strings.TrimSpace(value))
	return nil
}

// Check refuses keys other than these: a filter that was ignored would let
// pass what should have been held back.
func (f Filters) Check(keys ...string) error {
	for key := range f {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("invalid filter '%s': want one of %s", key, strings.Join(keys, ", "))
		}
	}
	return nil
}

// bad is a filter whose value means nothing.
func bad(key, value string) error { return fmt.Errorf("invalid filter '%s=%s'", key, value) }

// exactly tells whether value is one of those asked for, if any are.
func (f Filters) exactly(key, value string) bool {
	want := f[key]
	return len(want) == 0 || slices.Contains(want, value)
}

// matches is exactly for patterns: each value is looked for anywhere in any of
// the texts, as a regular expression.
func (f Filters) matches(key string, texts ...string) bool {
	if len(f[key]) == 0 {
		return true
	}
	for _, pattern := range f[key] {
		re, err := regexp.Compile(pattern)
		for _, text := range texts {
			if pattern == text || err == nil && re.MatchString(text) {
				return true
			}
		}
	}
	return false
}

// begins tells whether an ID begins with one of those asked for.
func (f Filters) begins(key, id string) bool {
	return len(f[key]) == 0 || slices.ContainsFunc(f[key], func(start string) bool { return strings.HasPrefix(id, start) })
}

// Labels tells whether every label asked for is there: a key, or a key with
// its value. Those of label! must not be there.
func (f Filters) Labels(labels map[string]string) bool {
	has := func(want string) bool {
		key, value, valued := strings.Cut(want, "=")
		got, ok := labels[key]
		return ok && (!valued || got == value)
	}
	return !slices.ContainsFunc(f["label"], func(l string) bool { return !has(l) }) && !slices.ContainsFunc(f["label!"], has)
}

// Bool is the value of a yes-or-no filter; given says that there is one.
func (f Filters) Bool(key string) (value, given bool, err error) {
	for _, s := range f[key] {
		b, err := strconv.ParseBool(s)
		if err != nil || given && b != value {
			return false, true, bad(key, s)
		}
		value, given = b, true
	}
	return value, given, nil
}

// Until is the moment that an until filter names: what is older passes.
func (f Filters) Until() (time.Time, error) {
	switch list := f["until"]; len(list) {
	case 0:
		return time.Time{}, nil
	case 1:
		t, err := ParseTime(list[0], time.Now())
		if err != nil {
			return t, bad("until", list[0])
		}
		return t, nil
	}
	return time.Time{}, errors.New("more than one until filter specified")
}

// ParseTime reads a moment as docker takes it: a span before now ("10m"), a
// Unix time, or a date with less or more of a time. Without a zone it is local.
// A bare 0 is the first moment of Unix time, as every other bare number is one.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		return now.Add(-d), nil
	}
	if t, ok := parseUnix(s); ok {
		return t, nil
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15",
		"2006-01-02", "2006-01-02Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15Z07:00",
	} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time such as 2006-01-02T15:04:05, or a span such as 10m")
}

// parseUnix reads seconds, with digits behind a dot if there is one; those
// behind the ninth say nothing.
func parseUnix(s string) (time.Time, bool) {
	whole, fraction, dot := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || dot && !isDigits(fraction) {
		return time.Time{}, false
	}
	nano, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nano), err == nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
