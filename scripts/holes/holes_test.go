package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryEscapeIsFoundByItsTest opens the holes, and compares the table with
// the one in the documents (make holes WRITE=1).
func TestEveryEscapeIsFoundByItsTest(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("most of the tests need root")
	}
	var table strings.Builder
	failed, err := run(nil, &table)
	if err != nil || failed > 0 {
		t.Fatalf("%d tests did not find their hole, %v\n%s", failed, err, table.String())
	}
	top, err := module()
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(top, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), table.String()) {
		t.Errorf("docs/security.md has another table; make holes WRITE=1 puts this one there:\n%s", table.String())
	}
}

func TestAHoleWithoutAPlaceIsAnError(t *testing.T) {
	h := hole{edits: []edit{{"go.mod", "a line that is not there", ""}}}
	top, err := module()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.open(top); err == nil || !strings.Contains(err.Error(), "where would the hole be now") {
		t.Errorf("error %v", err)
	}
}

// TestATestThatFindsNothingIsTold: a change that changes nothing is a hole that
// no test can find.
func TestATestThatFindsNothingIsTold(t *testing.T) {
	top, err := module()
	if err != nil {
		t.Fatal(err)
	}
	none := edit{"pkg/book/book.go", "package book", "package book"}
	for test, want := range map[string]string{"Test": "", "TestThatIsNotThere": "there is no test"} {
		h := hole{edits: []edit{none}, pkg: "pkg/book", test: test}
		found, err := h.open(top)
		if found || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %t, error %v", test, found, err)
		}
	}
}
