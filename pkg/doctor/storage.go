package doctor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Amounts of free space that are too little for an image or two.
const (
	hardlyAny = 64 << 20
	little    = 1 << 30
	fewInodes = 10_000
)

// storage looks at the file system that images and containers live on.
func storage(x *examination) {
	dir := existing(x.root)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		x.add(Missing, "directory", dir+": "+answer(err), "nothing can be stored", "set MINICTR_ROOT to a directory on a local disk")
		return
	}
	space(x, dir, fs)
	x.layersOn(dir)
}

func space(x *examination, dir string, fs unix.Statfs_t) {
	free := fs.Bavail * uint64(fs.Bsize)
	found := fmt.Sprintf("%s on %s, %s free", x.root, fsName(fs), size(free))
	if fs.Files > 0 {
		found += fmt.Sprintf(", %d inodes free", fs.Ffree)
	}
	switch {
	case fs.Flags&unix.ST_RDONLY != 0:
		x.add(Missing, "space", found+", read-only", "nothing can be stored", "set MINICTR_ROOT to a directory that can be written")
	case free < hardlyAny:
		x.add(Missing, "space", found, "no image fits", "free some space, or set MINICTR_ROOT to another disk")
	case free < little:
		x.add(Warn, "space", found, "larger images will not fit", "free some space, or set MINICTR_ROOT to another disk")
	case fs.Files > 0 && fs.Ffree < fewInodes:
		x.add(Warn, "space", found, "images of many files will not fit", "delete many small files, or set MINICTR_ROOT to another disk")
	default:
		x.add(OK, "space", found, "", "")
	}
}

// layersOn tries an overlay whose upper directory is on the file system of dir:
// it must tell file types in its directories (d_type) and keep attributes of
// the trusted namespace, and must be no overlay itself.
func (x *examination) layersOn(dir string) {
	if !x.mayTry(sysAdmin, "overlay there") {
		return
	}
	tmp, err := os.MkdirTemp(dir, ".minictr-doctor-")
	if err != nil {
		x.add(Missing, "overlay there", err.Error(), "nothing can be stored", "set MINICTR_ROOT to a directory that can be written")
		return
	}
	calls := append([]kernel.Call{apart()}, layers(tmp)...)
	err = try(unix.CLONE_NEWNS, append(calls, opaque()...)...)
	if rerr := os.RemoveAll(tmp); rerr != nil {
		err = errors.Join(err, rerr)
	}
	x.tried(err, Missing, "overlay there", "containers' upper directories can be there",
		"no container can keep what it writes", "set MINICTR_ROOT to a directory on ext4, xfs or btrfs; inside a container, on a volume")
}

// fsNames are the file systems whose names explain a finding.
var fsNames = map[uint32]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.F2FS_SUPER_MAGIC: "f2fs", unix.NFS_SUPER_MAGIC: "nfs", unix.MSDOS_SUPER_MAGIC: "vfat",
	unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse", unix.RAMFS_MAGIC: "ramfs", unix.ECRYPTFS_SUPER_MAGIC: "ecryptfs",
	unix.SMB2_SUPER_MAGIC: "smb", 0x2fc12fc1: "zfs",
}

func fsName(fs unix.Statfs_t) string {
	if n, ok := fsNames[uint32(fs.Type)]; ok {
		return n
	}
	return fmt.Sprintf("file system %#x", uint32(fs.Type))
}

// size prints a size with the unit that fits.
func size(n uint64) string {
	for _, u := range []struct {
		bytes uint64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if n >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
