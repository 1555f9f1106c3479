package engine

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"minictr/pkg/engine/config"
	"minictr/pkg/logging"
	"minictr/pkg/record"
)

func TestTheCopyOfALogHasOptionsOfItsOwn(t *testing.T) {
	e := &Engine{Dirs: record.Dirs{Root: "/root"}}
	file := func(name string) string { return filepath.Join(e.Dirs.Container("id0123456789"), name) }
	copied := file("container-cached.log")
	for _, c := range []struct {
		driver  string
		options map[string]string
		want    logging.Config
	}{
		{"json-file", map[string]string{"cache-max-file": "9"}, logging.Config{Path: file("id0123456789-json.log")}},
		{"local", nil, logging.Config{Path: file("local-logs/container.log"), MaxSize: 20 << 20, MaxFile: 5, Compress: true}},
		{"local", map[string]string{"max-size": "2k"}, logging.Config{Path: file("local-logs/container.log"), MaxSize: 2000, MaxFile: 5, Compress: true}},
		{"syslog", nil, logging.Config{Path: copied, MaxSize: 20 << 20, MaxFile: 5, Compress: true}},
		{"journald", map[string]string{"cache-disabled": "false"}, logging.Config{Path: copied, MaxSize: 20 << 20, MaxFile: 5, Compress: true}},
		{
			"syslog",
			map[string]string{"cache-max-size": "1m", "cache-max-file": "2", "cache-compress": "false"},
			logging.Config{Path: copied, MaxSize: 1e6, MaxFile: 2},
		},
		{"syslog", map[string]string{"cache-disabled": "1"}, logging.Config{}},
		{"none", nil, logging.Config{}},
	} {
		made := &Container{Record: Record{ID: "id0123456789", Config: config.Config{Log: config.Log{Driver: c.driver, Options: c.options}}}}
		if err := made.Config.Log.Check(); err != nil {
			t.Error(err)
		}
		l, err := e.logConfig(made)
		if err != nil {
			t.Error(err)
		}
		got := logging.Config{Path: l.Path, MaxSize: l.MaxSize, MaxFile: l.MaxFile, Compress: l.Compress}
		if got.Path != c.want.Path || got.MaxSize != c.want.MaxSize || got.MaxFile != c.want.MaxFile || got.Compress != c.want.Compress {
			t.Errorf("%s %v: %+v, want %+v", c.driver, c.options, got, c.want)
		}
	}
}

func TestTheMachinesOptionsOfTheCopyAreForEveryDriver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	t.Setenv("MINICTR_CONFIG", path)
	text := `{"log-driver":"json-file","log-opts":{"max-size":"1m","cache-disabled":"true","cache-max-file":"2"}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for driver, want := range map[string]map[string]string{
		"":       {"max-size": "1m", "cache-disabled": "0", "cache-max-file": "2"},
		"syslog": {"cache-disabled": "0", "cache-max-file": "2"},
	} {
		l := config.Log{Driver: driver, Options: map[string]string{"cache-disabled": "0"}}
		if err := logDefaults(&l); err != nil || !maps.Equal(l.Options, want) {
			t.Errorf("%q: %v, %v", driver, l.Options, err)
		}
	}
	l := config.Log{Driver: "none"} // which takes no options
	if err := logDefaults(&l); err != nil || len(l.Options) > 0 {
		t.Errorf("none: %v, %v", l.Options, err)
	}
}
