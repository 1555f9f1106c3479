package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestTheValidationSuitePassesButForKnownFailures runs the OCI's own programs;
// scripts/conformance says what they are and which fail.
func TestTheValidationSuitePassesButForKnownFailures(t *testing.T) {
	needRoot(t)
	if testing.Short() {
		t.Skip("-short: this takes a minute")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	markdown := filepath.Join(t.TempDir(), "markdown")
	cmd := exec.CommandContext(ctx, "go", "run", ".", "-runtime", binary(t), "-markdown", markdown)
	cmd.Dir = filepath.Join("..", "..", "scripts", "conformance")
	file, err := os.Create(filepath.Join(t.TempDir(), "table"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	failure := cmd.Run()
	table, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", bytes.TrimSpace(table))
	if failure != nil {
		t.Fatal(failure)
	}
	document, _ := os.ReadFile(filepath.Join("..", "..", "docs", "runtimes.md"))
	if made, err := os.ReadFile(markdown); err != nil || !bytes.Contains(document, bytes.TrimSpace(made)) {
		t.Errorf("docs/runtimes.md has another table: run make conformance WRITE=1 (%v)", err)
	}
}
