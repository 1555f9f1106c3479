// Command minictr-shim looks after one container. The minictr command starts
// it; nobody types it.
//
//	minictr-shim BUNDLE
//
// Descriptor 3 is a unix stream socket whose other end says what to do.
package main

import (
	"os"

	"minictr/pkg/shim"
)

func main() { os.Exit(shim.Main()) }
