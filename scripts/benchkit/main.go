// Command benchkit measures minictr beside docker, podman, crun and runc, all in one run. scripts/bench is its front
// door.
//
//	scripts/bench [options]                  measure, print the tables and the goals
//	scripts/bench [options] room COMMAND     run COMMAND in the room that is measured in, to look around
//
// What is compared. Each table is one task, done by every engine that is installed: run a container of `true` with a
// bridge network, the same without a network (here the runtimes that take a bare bundle compete too, and a bare unshare
// as the floor), execute a command in a running container, list a hundred containers; the memory of the process that
// stays with each container, and what the runtimes need at most. What could not be measured is listed with the reason.
//
// How it is made fair. The contenders take turns, in an order shuffled anew each round, so that a drift of the machine
// hits all of them; before each turn the room waits until nobody in it is busy, so that one contender's tail is not on
// another's bill. The first rounds are not counted. The median is the figure to compare; min and max tell how much to
// trust it. Every engine has the same root file system, its default settings, its own directories, and the disk of
// TMPDIR under them. See room.go for where they live, and why nothing of it stays.
//
// What it leaves out. Pulling images, which is a benchmark of networks. Throughput inside containers, which is the
// kernel's. The CPU time that daemons spend after they have answered.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// options are what the flags say. The processes inside the room get the same flags.
type options struct {
	rounds, warmup int
	long           bool // also what takes other engines minutes
	tasks, skip    list
	bin            string
	markdown       string   // a file for the tables as ratios
	stage          string   // which of the processes this is; empty: the one the user started
	args           []string // what follows the flags
}

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err == nil && o.stage == "":
		err = outside(o)
	case err == nil && o.stage == "init":
		err = initProcess(o)
	case err == nil && o.stage == "inside":
		err = inside(o)
	}
	var code exitCode
	if errors.As(err, &code) {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// exitCode is that of a process which has already said what went wrong.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", number("BENCH_ROUNDS", 20), "`times` that each command is measured; BENCH_ROUNDS")
	f.IntVar(&o.warmup, "warmup", number("BENCH_WARMUP", 3), "rounds before that are not counted; BENCH_WARMUP")
	f.Var(&o.tasks, "tasks", "only these, by comma: bridge, none, run -d, exec, memory, ps, bundle, seccomp, bundle-exec, peak")
	f.Var(&o.skip, "skip", "leave these out, by comma: docker, podman, crun, runc, unshare")
	f.StringVar(&o.bin, "bin", "bin", "`directory` with minictr, minictr-shim and minictr-oci")
	f.StringVar(&o.markdown, "markdown", "", "write the tables as ratios to this `file`, too, for a document")
	f.StringVar(&o.stage, "stage", "", "internal: which of the bench's own processes this is")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.args = f.Args()
	if len(o.args) > 0 && (o.args[0] != "room" || len(o.args) == 1) {
		return o, fmt.Errorf("%s: want nothing, or room COMMAND (-h lists the options)", strings.Join(o.args, " "))
	}
	if o.rounds < 1 || o.warmup < 0 {
		return o, errors.New("at least one round, please")
	}
	return o, nil
}

// number is a default that the environment may change.
func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// list is a flag of words separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}
