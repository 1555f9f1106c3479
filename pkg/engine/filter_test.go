package engine

import (
	"testing"
	"time"
)

func TestFiltersAreReadAndRefused(t *testing.T) {
	var f Filters
	for _, s := range []string{"label=a=1", "label=b", "label!=c", "Status = exited"} {
		if err := f.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add("nothing"); err == nil {
		t.Error("accepted a filter without a value")
	}
	if err := f.Check("label", "label!", "status"); err != nil {
		t.Error(err)
	}
	if err := f.Check("label"); err == nil {
		t.Error("accepted an unknown key")
	}
	for _, test := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{"a": "1", "b": ""}, true},
		{map[string]string{"a": "1", "b": "x", "d": ""}, true},
		{map[string]string{"a": "2", "b": ""}, false},
		{map[string]string{"a": "1"}, false},
		{map[string]string{"a": "1", "b": "", "c": "3"}, false},
		{nil, false},
	} {
		if got := f.Labels(test.labels); got != test.want {
			t.Errorf("%v: %t", test.labels, got)
		}
	}
}

func TestMomentsAreReadAsDockerReadsThem(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"10m":                            now.Add(-10 * time.Minute),
		"1h30m":                          now.Add(-90 * time.Minute),
		"1700000000":                     time.Unix(1700000000, 0),
		"1700000000.000000001":           time.Unix(1700000000, 1),
		"1700000000.5":                   time.Unix(1700000000, 5e8),
		"1700000000.1234567899":          time.Unix(1700000000, 123456789),
		"0":                              time.Unix(0, 0),
		"0s":                             now,
		"2026-01-02T03Z":                 time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
		"2026-01-02T03:04:05Z":           now,
		"2026-01-02T03:04:05.000000001Z": now.Add(1),
		"2026-01-02T05:04:05+02:00":      now,
		"2026-01-02":                     time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local),
		"2026-01-02T03:04":               time.Date(2026, 1, 2, 3, 4, 0, 0, time.Local),
	} {
		if got, err := ParseTime(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "1.2.3", "10 minutes", "2026-13-01", "1700000000.", "1700000000.+5", "-5"} {
		if got, err := ParseTime(s, now); err == nil {
			t.Errorf("%q: %s", s, got)
		}
	}
}
