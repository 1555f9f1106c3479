package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedTextIsUpToDate: whoever changes a source of it runs make docs.
func TestGeneratedTextIsUpToDate(t *testing.T) {
	source, err := os.ReadFile("../../docs/runtimes.md")
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "runtimes.md")
	if err := os.WriteFile(document, source, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{document, "conformance", "../conformance/known-failures"}, nil); err != nil {
		t.Fatal(err)
	}
	if made, _ := os.ReadFile(document); string(made) != string(source) {
		t.Error("docs/runtimes.md is out of date: run make docs")
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

func TestAKnownFailureNeedsAReason(t *testing.T) {
	if _, err := knownFailures("# comment\n\nalone\n"); err == nil {
		t.Error("no error")
	}
	got, err := knownFailures("# comment\na    it is broken\n")
	if want := "| program | why it fails |\n|---|---|\n| a | it is broken |\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}
