package image

import (
	"reflect"
	"testing"
	"time"
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
		if got, err := parseHealth([]byte(config)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", config, got, err)
		}
	}
	if _, err := parseHealth([]byte(`{"config":{"Healthcheck":7}}`)); err == nil {
		t.Error("7 is no health check")
	}
}
