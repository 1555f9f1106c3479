package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTheDocumentKnowsTheKnownFailures compares the table of validation programs
// with the list of those that may fail. That the others pass is known where the
// suite is run: there its table is compared with the document.
func TestTheDocumentKnowsTheKnownFailures(t *testing.T) {
	document, err := os.ReadFile("../../docs/runtimes.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("../conformance/known-failures")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(list)) {
		if name, reason, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			want = append(want, "| "+name+" | fails: "+strings.TrimSpace(reason)+" |\n")
		}
	}
	_, place, _ := strings.Cut(string(document), "<!-- made by make docs: conformance -->\n")
	place, _, _ = strings.Cut(place, "<!-- end -->\n")
	var passing int
	var got []string
	for line := range strings.Lines(place) {
		switch {
		case strings.Contains(line, " | passes |"):
			passing++
		case strings.Contains(line, " | fails"):
			got = append(got, line)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("docs/runtimes.md has %q, known-failures %q: run make conformance WRITE=1", got, want)
	}
	if count := fmt.Sprintf("%d of %d programs pass.", passing, passing+len(got)); !strings.Contains(place, count) {
		t.Errorf("the rows say %q, the text does not", count)
	}
}

func TestAPlaceIsFilledAndTheRestStays(t *testing.T) {
	const document = "before\n<!-- made by make docs: here -->\nold\n<!-- end -->\nafter\n"
	got, err := put(document, "here", "new\n")
	want := "before\n<!-- made by make docs: here -->\n\nnew\n\n<!-- end -->\nafter\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if again, err := put(got, "here", "new"); err != nil || again != want {
		t.Errorf("a second time: %q, %v", again, err)
	}
	for _, wrong := range []string{"nowhere", "here"} {
		if _, err := put(strings.TrimSuffix(document, "<!-- end -->\nafter\n"), wrong, ""); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
}
