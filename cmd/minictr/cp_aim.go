package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	openPath     = unix.O_PATH
	openNoFollow = unix.O_NOFOLLOW
)

// Where a copy goes, and by which name, depends on what is at both ends; these
// are cp(1)'s rules as docker has them, for both directions.

// cpSource is what is to be copied.
type cpSource struct {
	path   string
	isDir  bool
	rename string // what it is called in the copy, if not as in path
}

// base is what the entries of its tar stream begin with.
func (s cpSource) base() string {
	if strings.HasSuffix(s.path, "/.") || s.path == "." {
		return "."
	}
	if b := path.Base(s.path); b != "/" {
		return b
	}
	return "."
}

// cpTarget is what the user wants to have it at.
type cpTarget struct {
	path          string
	exists, isDir bool
}

// copyTarget is the directory that entries are laid into, and their new names.
type copyTarget struct {
	dir    string
	rename func(string) string
}

var errCannotCopyDir = errors.New("cannot copy directory: the destination is no directory")

// aim decides.
func aim(from cpSource, to cpTarget) (copyTarget, error) {
	name := from.rename // of the copy, in the directory it goes to
	if name == "" {
		name = from.base()
	}
	clean := path.Clean(to.path)
	switch {
	case to.exists && to.isDir:
		return copyTarget{to.path, renamer(from.base(), name)}, nil
	case to.exists && from.isDir:
		return copyTarget{}, errCannotCopyDir
	case !to.exists && !from.isDir && strings.HasSuffix(to.path, "/"), strings.HasSuffix(to.path, "/.") && !from.isDir:
		return copyTarget{}, fmt.Errorf("no such directory: %s", to.path)
	}
	return copyTarget{path.Dir(clean), renamer(from.base(), path.Base(clean))}, nil
}

// renamer gives the first element of a path another name.
func renamer(from, to string) func(string) string {
	if from == to {
		return nil
	}
	return func(name string) string {
		if from == "." {
			return path.Join(to, name)
		}
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == '/') {
			return to + rest
		}
		return name
	}
}
