package shim

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
)

// Main is the program minictr-shim. It must be called from the process's main
// function, before anything else, and returns the exit status.
func Main() int {
	// The container lives as long as the thread that made it: keep to the
	// main one, which lives as long as the process.
	runtime.LockOSThread()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim:", err)
		return 1
	}
	return 0
}

func run() error {
	if len(os.Args) != 2 || !filepath.IsAbs(os.Args[1]) {
		return fmt.Errorf("usage: minictr-shim BUNDLE, an absolute path (minictr run starts me)")
	}
	dirs, err := record.FromEnv()
	if err != nil {
		return err
	}
	first, err := firstClient()
	if err != nil {
		return fmt.Errorf("descriptor 3 is to be my first client (minictr run starts me): %w", err)
	}
	_, _ = unix.Setsid() // our starter may have done it; its terminal's signals are not for us
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return Run(dirs, filepath.Clean(os.Args[1]), first)
}

func firstClient() (*net.UnixConn, error) {
	f := os.NewFile(3, "client")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("it is no unix socket")
	}
	return unixConn, nil
}
