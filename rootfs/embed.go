package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
)

// ErrNotBuilt is returned by a binary that was compiled before `make` had built the base image for its architecture.
var ErrNotBuilt = errors.New("this minictr was built without a base image: run make")

// Tarball returns the base image's root file system as a gzip-compressed tar archive: one OCI layer. The slice is a
// copy; it is the caller's.
func Tarball() ([]byte, error) {
	return read("base.tar.gz")
}

// Provenance says in one line where the base image came from: the busybox version, its origin and its digest.
func Provenance() (string, error) {
	text, err := read("provenance")
	return strings.TrimSpace(string(text)), err
}

// read takes a file of the directory that embed_GOARCH.go chose. The directory always exists in the source tree (it
// holds a placeholder), so that the embed directive compiles; the file in it exists after make.
func read(name string) ([]byte, error) {
	data, err := built.ReadFile(path.Join("built", runtime.GOARCH, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotBuilt
	case err != nil:
		return nil, fmt.Errorf("read the embedded base image: %w", err)
	}
	return data, nil
}
