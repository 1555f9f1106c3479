package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Writer writes files to a tar stream. Files are given by descriptors, so that
// what is written is what was found.
type Writer struct {
	IDs IDs // who the files' owners are on the host, if not the same

	ctx  context.Context
	tar  *tar.Writer
	seen map[inode]string // files with several names, and the first of them in the stream
}

type inode struct{ dev, ino uint64 }

// NewWriter writes to w until ctx is over.
func NewWriter(ctx context.Context, w io.Writer) *Writer {
	return &Writer{ctx: ctx, tar: tar.NewWriter(w), seen: make(map[inode]string)}
}

// Close writes the archive's end mark.
func (w *Writer) Close() error { return w.tar.Close() }

// Tree adds what base names in the directory dir, and everything below it,
// under the given name. Files that go meanwhile are left out.
func (w *Writer) Tree(dir int, base, name string) error {
	fd, err := child(dir, base, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	return w.Below(fd, name)
}

// kernelFiles are the file systems whose files are the kernel's answers, made up
// as they are read: there is nothing to copy.
var kernelFiles = map[int64]bool{
	unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true,
	unix.DEVPTS_SUPER_MAGIC: true, unix.SECURITYFS_MAGIC: true, unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true,
	unix.BPF_FS_MAGIC: true, mqueueMagic: true,
}

const mqueueMagic = 0x19800202 // linux/magic.h; unix has no name for it

// OfKernel tells whether a file belongs to such a file system.
func OfKernel(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && kernelFiles[int64(st.Type)]
}

// Below is Tree for a file that is open (O_PATH).
func (w *Writer) Below(fd int, name string) error {
	st, err := w.Add(fd, name)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || OfKernel(fd) {
		return err
	}
	names, err := list(fd)
	if err != nil {
		return &fs.PathError{Op: "list", Path: name, Err: err}
	}
	for _, n := range names {
		if err := w.Tree(fd, n, path.Join(name, n)); err != nil {
			return err
		}
	}
	return nil
}

func list(fd int) ([]string, error) {
	dir, err := again(fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if errors.Is(err, unix.ENOENT) { // it has gone meanwhile, and was empty then
		err = nil
	}
	slices.Sort(names)
	return names, err
}

// Add adds the file behind an O_PATH descriptor alone, under the given name.
func (w *Writer) Add(fd int, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := w.ctx.Err()
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	var content *os.File
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		if content, err = again(fd, unix.O_RDONLY|unix.O_NONBLOCK); err == nil {
			defer content.Close()
		}
	}
	var h *tar.Header
	if err == nil {
		h, err = header(fd, &st, name)
		if h != nil {
			h.Uid, h.Gid = w.IDs.inside(st.Uid, st.Gid)
		}
	}
	if err == nil && h != nil {
		err = w.write(h, &st, content)
	}
	if err != nil {
		return st, fmt.Errorf("read %s: %w", name, err)
	}
	return st, nil
}

// Mark adds an empty file, for the marks by which layers say what is gone.
func (w *Writer) Mark(name string) error {
	return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, ModTime: time.Unix(0, 0)})
}

func (w *Writer) write(h *tar.Header, st *unix.Stat_t, content *os.File) error {
	if content != nil && st.Nlink > 1 {
		id := inode{st.Dev, st.Ino}
		if first, ok := w.seen[id]; ok {
			h.Typeflag, h.Linkname, h.Size, h.PAXRecords = tar.TypeLink, first, 0, nil
			return w.tar.WriteHeader(h)
		}
		w.seen[id] = h.Name
	}
	if err := w.tar.WriteHeader(h); err != nil || content == nil {
		return err
	}
	n, err := io.Copy(w.tar, io.LimitReader(&patient{w.ctx, content}, h.Size))
	if err == nil && n < h.Size { // it has been cut short meanwhile, and its size is written
		_, err = io.CopyN(w.tar, zeros{}, h.Size-n)
	}
	return err
}

// patient reads until its context is over.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// header describes a file; nil for a socket.
func header(fd int, st *unix.Stat_t, name string) (*tar.Header, error) {
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, 0), // tar would round up to a second that has not been
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(name, "/")+"/"
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = Readlink(fd)
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	default:
		return nil, nil
	}
	if err == nil && h.Typeflag != tar.TypeSymlink {
		h.PAXRecords, err = xattrs(fd)
	}
	return h, err
}

// Readlink reads the link behind an O_PATH descriptor.
func Readlink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// paxXattr is what extended attributes travel under.
const paxXattr = "SCHILY.xattr."

// xattrs are the attributes worth keeping: file capabilities, access lists and
// the user's own. Those of security modules and of overlayfs are the host's.
func xattrs(fd int) (map[string]string, error) {
	names := make([]byte, 64<<10) // the most that listxattr(2) returns
	n, err := unix.Listxattr(self(fd), names)
	if err != nil || n == 0 {
		if errors.Is(err, unix.ENOTSUP) {
			err = nil
		}
		return nil, err
	}
	records := make(map[string]string)
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if !kept(name) {
			continue
		}
		n, err := unix.Getxattr(self(fd), name, value)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("extended attribute %s: %w", name, err)
		}
		records[paxXattr+name] = string(value[:n])
	}
	return records, nil
}

func kept(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "system.posix_acl_") ||
		strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}
