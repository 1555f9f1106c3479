// Command soak mistreats minictr for minutes and looks whether it keeps its word: no container lost, none double,
// records that tell what /proc tells, and nothing left behind.
//
//	soak [-bin ./bin] [-seed N] [-short] [CHECK…]
//
// Its checks are crowds of clients at once (crowd), SIGKILL of everything that takes part at random moments (kills,
// policies), machines that have run out of something (disk, read-only, processes, memory), and files that a power cut has
// torn (torn). Each prints a line of the table, and what it found wrong. The same seed makes the same choices; what the scheduler makes of them differs.
//
// Everything happens in a directory of its own, which is MINICTR_ROOT and MINICTR_RUN, and in a mount namespace of its
// own. The short form is a test, and so runs in `make test`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// plan says how long the checks take.
type plan struct {
	containers, clients int // crowd
	rounds              int // kills
	scenes              int // policies
	steps               int // disk, processes, memory: how many sizes of a limit are tried
}

var (
	whole = plan{containers: 200, clients: 20, rounds: 500, scenes: 240, steps: 20}
	short = plan{containers: 24, clients: 6, rounds: 24, scenes: 12, steps: 4}
)

// check is one kind of mistreatment. It returns how often it did it, and what was wrong.
type check struct {
	name, what string
	run        func(w *world, p plan) (rounds int, problems []string)
}

var checks = []check{
	{"crowd", "parallel clients start, stop and remove containers: none lost, none double, nothing left behind", crowd},
	{"kills", "SIGKILL of client, shim or init at any moment: records true, nothing left, no zombie, names and ports free", kills},
	{"policies", "the same with restart policies: they still hold after the next command, and their counts", policies},
	{"disk", "the disk full but for some pages: a clear error, old containers untouched", beside(fullDisk)},
	{"read-only", "a read-only root: the same", beside(readOnly)},
	{"processes", "some processes and threads only: the same", beside(fewProcesses)},
	{"memory", "some megabytes of memory only, for client and shim: the same", beside(littleMemory)},
	{"torn", "records cut off anywhere, as by a power cut: whole, absent, or removable", torn},
}

func main() {
	bin := flag.String("bin", "bin", "directory with minictr and minictr-shim")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random choices")
	isShort := flag.Bool("short", false, "seconds instead of minutes")
	flag.Parse()
	if os.Getenv(inPrivate) == "" {
		os.Exit(private())
	}
	p := whole
	if *isShort {
		p = short
	}
	ok, err := run(os.Stdout, *bin, *seed, p, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// inPrivate is set in the environment of a process that has its own mount namespace.
const inPrivate = "SOAK_PRIVATE"

// private runs this program again in a mount namespace of its own, from which no mount gets out, and returns its exit
// code.
func private() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inPrivate+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "soak: a mount namespace of its own (it needs root):", err)
	return 2
}

// run makes the checks that are named, or all, and prints the table.
func run(out io.Writer, bin string, seed uint64, p plan, names []string) (ok bool, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(checks, func(c check) bool { return c.name == name }) {
			return false, fmt.Errorf("no check is called %q", name)
		}
	}
	bin, err = filepath.Abs(bin)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "seed %d\n", seed)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "check\trounds\ttime\twrong\t")
	ok = true
	var found strings.Builder
	for _, c := range checks {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		w, err := newWorld(bin, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			return false, err
		}
		began := time.Now()
		rounds, problems := c.run(w, p)
		problems = append(problems, w.close()...)
		fmt.Fprintf(table, "%s\t%d\t%.0f s\t%d\t%s\n", c.name, rounds, time.Since(began).Seconds(), len(problems), c.what)
		ok = ok && len(problems) == 0
		for _, problem := range problems {
			fmt.Fprintf(&found, "%s: %s\n", c.name, problem)
		}
	}
	if err := table.Flush(); err != nil {
		return false, err
	}
	_, err = io.WriteString(out, found.String())
	return ok, err
}
