package main

import (
	"os"
	"slices"
	"testing"
)

// TestMain lets the test program be the room's processes too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-stage" || os.Getenv("BENCH_TEST_RUN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestFlagsAndEnvironmentChooseTheRounds(t *testing.T) {
	t.Setenv("BENCH_ROUNDS", "7")
	t.Setenv("BENCH_WARMUP", "many") // no number: the default holds
	o, err := parse([]string{"-tasks", "bridge,ps", "-skip", "podman", "-skip", "docker"})
	if err != nil {
		t.Fatal(err)
	}
	if o.rounds != 7 || o.warmup != 3 || !slices.Equal(o.tasks, list{"bridge", "ps"}) || !slices.Equal(o.skip, list{"podman", "docker"}) {
		t.Errorf("got %+v", o)
	}
	if o, err := parse([]string{"-rounds", "2", "room", "ls", "-l"}); err != nil || o.rounds != 2 || !slices.Equal(o.args, []string{"room", "ls", "-l"}) {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestSenselessCommandLinesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-warmup", "-1"}, {"cellar"}, {"room"}, {"-nonsense"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
