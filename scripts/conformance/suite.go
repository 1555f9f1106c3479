//go:build suite

// This file is never compiled: it keeps the suite in go.mod.
package main

import (
	_ "github.com/opencontainers/runtime-tools/cmd/runtimetest"
	_ "github.com/opencontainers/runtime-tools/validation/util"
)
