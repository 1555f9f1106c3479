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
	cmd := exec.CommandContext(ctx, "go", "run", ".", "-runtime", binary(t))
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
		t.Error(failure)
	}
}
