package image

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"minictr/pkg/image/ocispec"
)

func TestTheHealthCheckOfAnImageIsFound(t *testing.T) {
	for config, want := range map[string]*Health{
		`{"config":{"Cmd":["sh"]}}`:          nil,
		`{"config":{"Healthcheck":null}}`:    nil,
		`{"comment":"\"Healthcheck\" : {}"}`: nil,
		`{"config":{"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Timeout":1000000,"StartPeriod":5,"StartInterval":6,"Retries":3}}}`: {
			Test: []string{"CMD-SHELL", "true"}, Interval: 30 * time.Second, Timeout: time.Millisecond, StartPeriod: 5, StartInterval: 6, Retries: 3,
		},
	} {
		if got, err := parseExtras([]byte(config)); err != nil || !reflect.DeepEqual(got.Health, want) {
			t.Errorf("%s: %+v, %v", config, got, err)
		}
	}
	if _, err := parseExtras([]byte(`{"config":{"Healthcheck":7}}`)); err == nil {
		t.Error("7 is no health check")
	}
}

func TestWhatAConfigHoldsBesidesComesBack(t *testing.T) {
	i := ocispec.Image{Author: "A. Trainee", Config: ocispec.ImageConfig{Cmd: []string{"sh"}}}
	extras := Extras{Health: &Health{Test: []string{"CMD", "true"}, Retries: 2}, OnBuild: []string{"RUN make"}}
	raw, err := marshalConfig(i, extras)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseExtras(raw)
	if err != nil || !reflect.DeepEqual(got, extras) {
		t.Errorf("%s: %+v, %v", raw, got, err)
	}
	var read ocispec.Image
	if err := json.Unmarshal(raw, &read); err != nil || !reflect.DeepEqual(read.Config, i.Config) || read.Author != i.Author {
		t.Errorf("%s: %+v, %v", raw, read, err)
	}
}
