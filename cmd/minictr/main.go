//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command minictr makes and looks after containers, with docker's command line.
//
// This package is flags and wiring; what a command does is in pkg/engine. Each
// command has a file of its own, and each file says what its docker namesake
// would accept.
//
// A command is over in milliseconds: it need not first find out its own
// processor limit from a cgroup, which is what the directives above leave out.
package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/kernel/calm" // which also does something by being imported
)

// version is set at build time.
var version = "dev"

func main() {
	calm.Deep()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code.
func run(args []string, out, errOut io.Writer) int {
	a := &app{args: args, out: out, err: errOut}
	if err := refuseGlobal(args); err != nil {
		return a.complain(nil, err)
	}
	cobra.EnableCommandSorting = false // the help text has an order of its own
	cmd, err := newRoot(a).ExecuteC()
	return a.complain(cmd, err)
}
