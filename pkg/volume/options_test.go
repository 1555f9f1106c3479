package volume

import (
	"reflect"
	"strings"
	"testing"
)

func TestOptionsAreReadAsDockersLocalDriverReadsThem(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    Mount
		other   bool
	}{
		{nil, Mount{}, false},
		{map[string]string{"type": "none", "o": "bind", "device": "/srv"}, Mount{Bind: true, Type: "none", Device: "/srv"}, true},
		{map[string]string{"o": "bind,ro", "device": "/srv"}, Mount{Bind: true, Device: "/srv", Options: []string{"ro"}}, true},
		{map[string]string{"type": "tmpfs", "o": "size=1m,uid=5"}, Mount{Type: "tmpfs", Device: "tmpfs", Options: []string{"size=1m", "uid=5"}}, true},
		{map[string]string{"type": "nfs", "o": "addr=192.0.2.1,rw", "device": ":/x"}, Mount{Type: "nfs", Device: ":/x", Options: []string{"addr=192.0.2.1", "rw"}}, true},
		{map[string]string{"type": "ext4", "device": "/dev/sdb1"}, Mount{Type: "ext4", Device: "/dev/sdb1"}, true},
	} {
		got, other, err := Volume{Options: c.options}.Mount()
		if err != nil || other != c.other || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %+v, %v, %v", c.options, got, other, err)
		}
	}
	for want, options := range map[string]map[string]string{
		"want type, device or o": {"bogus": "1"},
		"quota":                  {"size": "1g"},
		"without a device":       {"type": "ext4"},
		"without a type":         {"device": "/dev/sdb1"},
		"must be an absolute":    {"o": "bind", "device": "srv"},
		"does not go with":       {"o": "bind,size=1m", "device": "/srv"},
	} {
		if got, _, err := (Volume{Options: options}).Mount(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %+v, %v; want an error with %q", options, got, err, want)
		}
	}
}

func TestAVolumeKeepsItsOptions(t *testing.T) {
	s := Open(t.TempDir())
	want := Volume{Name: "vv", Options: map[string]string{"type": "tmpfs"}, Labels: map[string]string{"a": "b"}}
	h, made, err := s.Use(want)
	if err != nil || !made || h.Options["type"] != "tmpfs" || h.Labels["a"] != "b" {
		t.Fatalf("%+v, %v, %v", h, made, err)
	}
	_ = h.Release()
	if h, _, err := s.Use(Volume{Name: "vv"}); err != nil || h.Options["type"] != "tmpfs" {
		t.Errorf("%+v, %v", h, err)
	} else {
		_ = h.Release()
	}
	if _, _, err := s.Use(Volume{Name: "vv", Options: map[string]string{"type": "tmpfs", "o": "size=1m"}}); err == nil || !strings.Contains(err.Error(), "other options") {
		t.Errorf("other options: %v", err)
	}
	if err := s.Remove("vv", nil); err != nil {
		t.Errorf("a failed Use still holds it: %v", err)
	}
}
