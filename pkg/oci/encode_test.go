package oci

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTheStateIsWrittenAsEncodingJSONWouldWriteIt(t *testing.T) {
	full := Container{
		ID: "a_B.9+-", Bundle: "/b\"u\\n\ndle/\x01/é/<&>", PID: 1 << 22, Started: 1<<64 - 1, Gate: 7, Open: true,
		Created: time.Date(2026, 11, 22, 1, 2, 3, 456000000, time.UTC), Vacant: true,
		Options: Options{Run: true, PreserveFDs: 3, NoPivot: true, NoNewKeyring: true, Systemd: true},
	}
	// A field that is new is a field that encode does not know of.
	for _, s := range []reflect.Value{reflect.ValueOf(full), reflect.ValueOf(full.Options)} {
		for i := range s.NumField() {
			if f := s.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" && s.Field(i).IsZero() {
				t.Errorf("the test leaves %s empty", f.Name)
			}
		}
	}
	for _, c := range []Container{full, {ID: "x", Created: time.Unix(0, 0).UTC()}, {ID: "y", Options: Options{NoNewKeyring: true}}} {
		want, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.encode()
		if err != nil || string(got) != string(want) {
			t.Errorf("got  %s\nwant %s\n%v", got, want, err)
		}
	}
}

func TestNoIDNeedsABackslash(t *testing.T) {
	for r := rune(0); r < 0x100; r++ {
		b, _ := json.Marshal("a" + string(r))
		if plain := string(b) == `"a`+string(r)+`"`; !plain && validID("a"+string(r)) == nil {
			t.Errorf("%q is valid and is written as %s", r, b)
		}
	}
	if err := validID(strings.Repeat("a", 1025)); err == nil {
		t.Error("an id of any length is valid")
	}
}
