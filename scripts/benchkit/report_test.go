package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func ms(n ...float64) (times []time.Duration) {
	for _, x := range n {
		times = append(times, time.Duration(x*float64(time.Millisecond)))
	}
	return times
}

func TestTheMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct{ times, want []time.Duration }{
		{ms(5), ms(5, 5, 5)},
		{ms(9, 1, 5), ms(5, 1, 9)},
		{ms(4, 1, 100, 2), ms(3, 1, 100)},
	} {
		if got := summarize(c.times); got != (summary{c.want[0], c.want[1], c.want[2]}) {
			t.Errorf("%v: got %+v", c.times, got)
		}
	}
}

func TestContendersTakeTurnsAndLosersAreNamed(t *testing.T) {
	var order []string
	runs := func(name string, argv ...string) *contender {
		return &contender{name: name, argv: argv, after: func() error { order = append(order, name); return nil }}
	}
	missing := map[string]string{}
	rows := rounds([]*contender{
		runs("one", "true"),
		runs("fails", "sh", "-c", "echo first >&2; echo why >&2; exit 3"),
		runs("two", "sh", "-c", "sleep 0.02"),
		runs("absent", "no-such-program-anywhere"),
		runs("killed", "sh", "-c", "kill -9 $$"),
	}, 1, 3, func() {}, func(name string, why error) { missing[name] = why.Error() })

	if len(rows) != 2 || rows[0].name != "one" || rows[1].name != "two" {
		t.Fatalf("got %+v", rows)
	}
	if rows[1].times.min < 20*time.Millisecond || rows[0].times.max <= 0 {
		t.Errorf("impossible times: %+v", rows)
	}
	for i := 0; i < len(order); i += 2 {
		if order[i] == order[i+1] {
			t.Errorf("not in turns: %q", order)
		}
	}
	if len(order) != 2*4 {
		t.Errorf("%d turns, want one for warming up and three that count, each: %q", len(order), order)
	}
	if !strings.HasSuffix(missing["fails"], "exit code 3: why") || !strings.Contains(missing["killed"], "killed") || missing["absent"] == "" {
		t.Errorf("the reasons are %q", missing)
	}
}

func TestContainersOfARuntimeHaveNamesOfTheirOwn(t *testing.T) {
	c := &contender{argv: []string{"sh", "-c", `test "$1" = bench-7`, "sh"}, unique: true}
	if _, err := c.turn(7); err != nil {
		t.Error(err)
	}
	if _, err := c.turn(8); err == nil {
		t.Error("the name is not that of its round")
	}
}

func sample() *report {
	result := func(name string, median float64) row {
		return row{name, summary{ms(median)[0], ms(median - 1)[0], ms(median + 1)[0]}}
	}
	r := &report{
		machine: "Linux 6.1, 2 x CPU", load: "0.5", rounds: 20, warmup: 3, versions: []string{"minictr 1", "docker 2"},
		tables: []table{
			{task: "bridge", title: "run, bridge", rows: []row{result("minictr", 20), result(coldName, 50), result("docker", 400)}},
			{task: "none", title: "run, none", rows: []row{result("minictr", 15), result("crun, bundle", 12)}},
			{task: "ps", title: "list", rows: []row{result("minictr", 16)}},
			{task: "exec", title: "enter"},
			{task: "bundle", title: "bare", rows: []row{result("minictr-oci, bundle", 8), result("crun, bundle", 3)}},
		},
		shims: []shim{{"minictr", "minictr-shim", memory{rss: 6144, pss: 3072}}, {"podman", "conmon", memory{rss: 2048, pss: 1024}}},
	}
	r.missing("podman", errors.New("not installed (Debian: podman)"))
	return r
}

func TestTheReportSaysWhatWasReachedAndWhatIsUnknown(t *testing.T) {
	var out strings.Builder
	sample().print(&out)
	for _, line := range []string{
		"20 rounds after 3 for warming up",
		"  minictr                         20.0 ms    19.0 ms    21.0 ms     1.00\n",
		"  docker                         400.0 ms   399.0 ms   401.0 ms    20.00\n",
		"  nobody took part\n",
		"  minictr, minictr-shim           3.0 MiB    6.0 MiB                1.00\n",
		"  podman: not installed (Debian: podman)\n",
		"  met     bridge: minictr at most 0.1 times docker: 0.050 (20.0 ms, 400.0 ms)\n",
		"  MISSED  bridge: " + coldName + " at most 0.1 times docker: 0.125 (50.0 ms, 400.0 ms)\n",
		"  unknown bridge: minictr at most 0.1 times podman (that was not measured)\n",
		"  met     none: minictr at most 1.5 times crun, bundle: 1.250 (15.0 ms, 12.0 ms)\n",
		"  MISSED  ps: minictr at most 15ms: 16.0 ms\n",
		"  met     minictr-shim below 4.0 MiB PSS when idle: 3.0 MiB\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("this line is missing: %q", line)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestNothingMeasuredMeansNothingReached(t *testing.T) {
	var out strings.Builder
	(&report{}).print(&out)
	if strings.Contains(out.String(), "met ") || strings.Count(out.String(), "unknown") < len(goals)+1 {
		t.Errorf("got %s", &out)
	}
}

func TestTheDocumentHasRatiosAndNoMilliseconds(t *testing.T) {
	r := sample()
	r.peaks = []peak{{"minictr-oci, bundle", 6 << 10, 5 << 10}, {"crun, bundle", 3 << 10, 2 << 10}}
	got := r.markdown(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for _, line := range []string{
		"2026-01-02, Linux ", " 20 rounds in turns. minictr 1, docker 2.\n",
		"| run, bridge | median | fastest |\n|---|---|---|\n| minictr | 1.00 | 1.00 |\n",
		"| docker | 20.00 | 21.00 |\n",
		"| podman, conmon | 1.0 MiB | 0.33 |\n",
		"| crun, bundle | 3.0 MiB | 2.0 MiB | 0.50 |\n",
		"| bridge: minictr at most 0.1 times docker | met |\n",
		"| exec: minictr at most 0.1 times docker | unknown |\n",
		"more than crun, bundle: run +3.0 MiB, exec +3.0 MiB | met |\n",
		"| minictr-shim below 4.0 MiB PSS when idle: 3.0 MiB | met |\n",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("this is missing: %q", line)
		}
	}
	if strings.Contains(got, " ms") || strings.Contains(got, "CPU") {
		t.Errorf("figures or names of one machine in\n%s", got)
	}
}
