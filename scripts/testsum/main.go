// Command testsum reads go test -json events from standard input and tells a person, and CI, how it went: a line for
// each package, the whole output of what failed, the skips with their reasons, and last of all
//
//	N passed, N failed, N skipped
//
// A test with subtests counts by its subtests. The exit code is 1 when anything failed, when no test ran at all, and,
// where CI is set in the environment, when a test was skipped that should have run there: a skip is excused when the
// same test passed elsewhere in the same input (the VM's results stand beside the host's), or when a line of the
// -allow file expects it. With -again, up to three packages that failed get a second try, see again.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	allow := flag.String("allow", "scripts/allowed-skips", "file with the skips that CI may see")
	again := flag.String("again", "", "command that runs the packages in its arguments once more and prints events")
	flag.Parse()
	code, err := run(os.Stdin, os.Stdout, *allow, *again, os.Getenv("CI") != "")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		code = 1
	}
	os.Exit(code)
}

func run(in io.Reader, out io.Writer, allow, again string, strict bool) (int, error) {
	allowed, err := readAllowed(allow)
	if err != nil {
		return 1, err
	}
	results, err := collect(in, out)
	if err != nil {
		return 1, err
	}
	if err := results.again(again, out); err != nil {
		return 1, err
	}
	return results.report(out, allowed, strict), nil
}
