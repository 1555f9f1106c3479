package config

import (
	"reflect"
	"testing"
	"time"
)

func TestFlagsAboutHealthGoOverTheImages(t *testing.T) {
	image := &Health{Test: []string{"CMD", "check"}, Interval: time.Hour, Timeout: time.Minute, StartPeriod: 1, StartInterval: 2, Retries: 7}
	none := &Health{Test: []string{"NONE"}}
	own := &Health{Test: []string{"CMD-SHELL", "mine"}, Interval: time.Second, Retries: 1}
	for _, tc := range []struct {
		name             string
		flags, img, want *Health
	}{
		{"nobody says anything", nil, nil, nil},
		{"the image's", nil, image, image},
		{"none", none, image, none},
		{"the user's alone", own, nil, own},
		{"both", own, image, &Health{Test: own.Test, Interval: time.Second, Timeout: time.Minute, StartPeriod: 1, StartInterval: 2, Retries: 1}},
		{"times only", &Health{Interval: 5}, image, &Health{Test: image.Test, Interval: 5, Timeout: time.Minute, StartPeriod: 1, StartInterval: 2, Retries: 7}},
	} {
		if got := tc.flags.Over(tc.img); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestRestartPoliciesAreParsed(t *testing.T) {
	for s, want := range map[string]Restart{
		"no": {Name: "no"}, "": {Name: "no"}, "always": {Name: "always"}, "unless-stopped": {Name: "unless-stopped"},
		"on-failure": {Name: "on-failure"}, "on-failure:3": {Name: "on-failure", Retries: 3}, "on-failure:0": {Name: "on-failure"},
	} {
		if got, err := ParseRestart(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"sometimes", "always:1", "no:2", "on-failure:", "on-failure:-1", "on-failure:x"} {
		if got, err := ParseRestart(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}
