// Command docs puts generated text into its place in a document.
//
//	docs DOCUMENT PLACE <TEXT
//
// A place is what is between two lines of comment in Markdown:
//
//	<!-- made by make docs: PLACE -->
//	<!-- end -->
//
// The tables are those that a machine has to be asked for: make bench, make conformance, make engines, each with WRITE=1.
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
	if len(args) != 2 {
		return errors.New("usage: docs DOCUMENT PLACE <TEXT")
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	document, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	changed, err := put(string(document), args[1], string(text))
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
