// Command docs puts generated text into its place in a document.
//
//	docs DOCUMENT PLACE <TEXT
//	docs DOCUMENT conformance KNOWN-FAILURES
//
// A place is what is between two lines of comment in Markdown:
//
//	<!-- made by make docs: PLACE -->
//	<!-- end -->
//
// The first form is for tables that a machine has to be asked for (make engines WRITE=1). The second makes a table of
// the list of validation programs that are known to fail, which is the same everywhere: a test compares it with what
// the document has.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader) error {
	var text string
	switch {
	case len(args) == 3 && args[1] == "conformance":
		list, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		if text, err = knownFailures(string(list)); err != nil {
			return fmt.Errorf("%s: %w", args[2], err)
		}
	case len(args) == 2:
		b, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		text = string(b)
	default:
		return errors.New("usage: docs DOCUMENT PLACE <TEXT, or docs DOCUMENT conformance KNOWN-FAILURES")
	}
	document, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	changed, err := put(string(document), args[1], text)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return os.WriteFile(args[0], []byte(changed), 0o644)
}

// put replaces what is at a place of a document.
func put(document, place, text string) (string, error) {
	begin := "<!-- made by make docs: " + place + " -->\n"
	const end = "<!-- end -->\n"
	before, rest, ok := strings.Cut(document, begin)
	if !ok {
		return "", fmt.Errorf("there is no line %q", strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the place %s has no end", place)
	}
	return before + begin + "\n" + strings.TrimSpace(text) + "\n\n" + end + after, nil
}

// knownFailures makes a table of lines "PROGRAM REASON…".
func knownFailures(list string) (string, error) {
	var b strings.Builder
	b.WriteString("| program | why it fails |\n|---|---|\n")
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, " ")
		if !ok {
			return "", fmt.Errorf("%s has no reason", name)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, strings.TrimSpace(reason))
	}
	return b.String(), nil
}
