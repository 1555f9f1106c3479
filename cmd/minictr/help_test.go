package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Whoever asks for help gets to see how the command is typed.
func TestEveryCommandHasAnExampleThatNamesIt(t *testing.T) {
	root := newRoot(&app{out: io.Discard, err: io.Discard})
	seen := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() || c.Name() == "help" || c.HasParent() && c.Parent().Name() == "completion" {
			return
		}
		seen++
		if c.Short == "" || !strings.Contains(c.Example, "minictr ") || !strings.Contains(c.UsageString(), "Examples:") {
			t.Errorf("%s: Short %q, Example %q", c.CommandPath(), c.Short, c.Example)
		}
	}
	walk(root)
	if seen < 60 {
		t.Errorf("only %d commands: does this test look at all of them?", seen)
	}
}
