// Command mkbase builds minictr's base image: DIR/base.tar.gz and DIR/provenance, for one architecture.
//
//	go run ./rootfs/mkbase -arch amd64 -out rootfs/built/amd64
//
// It reads as the recipe: find a busybox, list its names, add the skeleton, write the archive. `make` runs it.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	arch := flag.String("arch", runtime.GOARCH, "GOARCH of the busybox: amd64 or arm64")
	out := flag.String("out", "", "directory for base.tar.gz and provenance")
	from := flag.String("busybox", "", "use this static busybox instead of looking for one")
	debget := flag.String("debget", "scripts/debget", "the script that fetches Debian packages")
	flag.Parse()
	if err := run(*arch, *out, *from, *debget); err != nil {
		fmt.Fprintln(os.Stderr, "mkbase:", err)
		os.Exit(1)
	}
}

func run(arch, out, from, debget string) error {
	box, err := find(arch, from, debget)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := write(&archive, image(box)); err != nil {
		return fmt.Errorf("write the base image: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	provenance := fmt.Sprintf("%s, %s, sha256:%x (GPL-2.0; source: the package busybox of its distribution)\n",
		box.version, arch, sha256.Sum256(box.binary))
	if err := os.WriteFile(filepath.Join(out, "provenance"), []byte(provenance), 0o644); err != nil {
		return err
	}
	// The archive comes last and by rename: its presence is what tells make that the image is complete.
	final := filepath.Join(out, "base.tar.gz")
	if err := os.WriteFile(final+".tmp", archive.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(final+".tmp", final); err != nil {
		return err
	}
	fmt.Printf("%s: %d KiB, %d applets, %s\n", final, archive.Len()/1024, len(box.applets), box.version)
	return nil
}
