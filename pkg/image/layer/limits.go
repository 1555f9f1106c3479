package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// ErrTooBig marks an archive that unpacks to more than Limits allow.
var ErrTooBig = errors.New("archive is too big")

// Limits bound what one archive may unpack to. A zero field takes nine tenths
// of what the file system has free, so that a bomb fails before the host's
// disk is full.
type Limits struct {
	Bytes   int64 // of file content
	Entries int64
}

// Usage is what an archive unpacked to.
type Usage struct {
	Bytes   int64 `json:"bytes"` // of file content
	Entries int64 `json:"entries"`
}

// Budget is Limits being used up.
type Budget struct {
	Limits
	Used Usage

	disk bool // the limits are a file system's room
}

// FreeBudget is the limits that the file system of dir gives.
func FreeBudget(dir string) (Budget, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Budget{}, fmt.Errorf("free space of %s: %w", dir, err)
	}
	free := Limits{Bytes: int64(fs.Bavail) * fs.Bsize / 10 * 9, Entries: int64(fs.Ffree) / 10 * 9}
	if fs.Files == 0 { // btrfs does not count inodes
		free.Entries = math.MaxInt64
	}
	return Budget{Limits: free, disk: true}, nil
}

// Charge counts an entry before anything of it is written. The declared size
// is the size written: sparse files are filled in.
func (b *Budget) Charge(h *tar.Header) error {
	b.Used.Entries++
	if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse {
		b.Used.Bytes += h.Size
	}
	if b.Used.Bytes > b.Bytes || b.Used.Bytes < 0 {
		return b.tooBig(b.Bytes, "bytes")
	}
	if b.Used.Entries > b.Entries {
		return b.tooBig(b.Entries, "entries")
	}
	return nil
}

func (b *Budget) tooBig(limit int64, what string) error {
	if b.disk {
		return fmt.Errorf("%w for what is free on the disk: %w (it may fill nine tenths of that, %d %s)", ErrTooBig, unix.ENOSPC, limit, what)
	}
	return fmt.Errorf("%w: more than %d %s", ErrTooBig, limit, what)
}
