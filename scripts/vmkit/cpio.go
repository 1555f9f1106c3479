package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archive writes an initramfs: a cpio archive in the "newc" format, the one that the kernel unpacks into its first root
// file system. See the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	to    *bufio.Writer
	size  int64 // written so far; headers and data are padded to four bytes
	inode int
	made  map[string]bool // directories already in the archive
	err   error           // the first one; later calls do nothing
}

func newArchive(to io.Writer) *archive {
	return &archive{to: bufio.NewWriterSize(to, 1<<20), made: map[string]bool{}}
}

// Types of files as cpio's mode field has them (the same bits as in stat(2)).
const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

// Dir adds a directory and the directories above it.
func (a *archive) Dir(name string, perm uint32) {
	name = clean(name)
	if name == "" || a.made[name] {
		return
	}
	a.Dir(path.Dir("/"+name), 0o755)
	a.made[name] = true
	a.member(name, typeDir|perm, 0)
}

// Link adds a symbolic link.
func (a *archive) Link(name, target string) {
	a.Bytes(name, typeLink|0o777, []byte(target))
}

// Data adds a small file.
func (a *archive) Data(name string, perm uint32, data string) {
	a.Bytes(name, typeFile|perm, []byte(data))
}

func (a *archive) Bytes(name string, mode uint32, data []byte) {
	a.Dir(path.Dir("/"+clean(name)), 0o755)
	a.member(clean(name), mode, int64(len(data)))
	a.write(data)
	a.pad()
}

// File copies a file of the host.
func (a *archive) File(name, source string) {
	file, err := os.Open(source)
	if err != nil {
		a.fail(err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	a.Dir(path.Dir("/"+clean(name)), 0o755)
	a.member(clean(name), typeFile|uint32(info.Mode().Perm()), info.Size())
	if a.err == nil {
		_, a.err = io.CopyN(a.to, file, info.Size())
		a.size += info.Size()
	}
	a.pad()
}

// Tree copies a file or a whole directory of the host.
func (a *archive) Tree(name, source string) {
	err := filepath.WalkDir(source, func(found string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, found)
		if err != nil {
			return err
		}
		target := path.Join("/", name, filepath.ToSlash(below))
		switch kind := entry.Type(); {
		case kind.IsDir():
			info, err := entry.Info()
			if err != nil {
				return err
			}
			a.Dir(target, uint32(info.Mode().Perm()))
		case kind&fs.ModeSymlink != 0 && below != ".":
			link, err := os.Readlink(found)
			if err != nil {
				return err
			}
			a.Link(target, link)
		default: // a symlink named by the user itself is followed
			a.File(target, found)
		}
		return a.err
	})
	a.fail(err)
}

// Close ends the archive; the first error of any call comes back here.
func (a *archive) Close() error {
	a.member("TRAILER!!!", 0, 0)
	if a.err != nil {
		return a.err
	}
	return a.to.Flush()
}

// member writes one header: the magic, thirteen 8-digit hexadecimal numbers, and the NUL-terminated name.
func (a *archive) member(name string, mode uint32, size int64) {
	a.inode++
	a.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name))
	a.pad()
}

func (a *archive) write(data []byte) {
	if a.err == nil {
		_, a.err = a.to.Write(data)
		a.size += int64(len(data))
	}
}

func (a *archive) pad() {
	if over := a.size % 4; over != 0 {
		a.write(make([]byte, 4-over))
	}
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
