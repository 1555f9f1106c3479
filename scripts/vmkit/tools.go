package main

import (
	"debug/elf"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// hostTools are put into the VM where the host has them: to look at what a test left, and for tests that compare with
// the usual tools. They are dynamically linked, so their libraries come along.
var hostTools = []string{"ip", "bridge", "nft", "strace", "apparmor_parser", systemd}

// systemd is in no PATH. Tests start it in namespaces of its own; what it needs to run no service is that one program.
const systemd = "/lib/systemd/systemd"

// program is a host file and where it goes.
type program struct{ source, target string }

// findTools returns the tools that are here with every library they need, and the names of those that are not.
func findTools() (found []program, missing []string) {
	libraries := map[string]bool{}
	for _, name := range hostTools {
		source, err := lookTool(name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		needs, err := neededLibraries(source)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		for _, library := range needs {
			libraries[library] = true
		}
		target := "/usr/local/bin/" + name
		if filepath.IsAbs(name) {
			target = name
		}
		found = append(found, program{source, target})
	}
	for library := range libraries {
		// The dynamic loader looks where the host's does; the interpreter's path is fixed in each program.
		found = append(found, program{library, library})
	}
	slices.SortFunc(found, func(a, b program) int { return strings.Compare(a.target, b.target) })
	return found, missing
}

func lookTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name) // an ordinary user's PATH lacks it
}

// neededLibraries follows a program's DT_NEEDED entries, as the dynamic loader does, and returns the paths of its
// interpreter and libraries; none for a static program.
func neededLibraries(path string) ([]string, error) {
	taken := map[string]bool{}
	queue := []string{path}
	var own []string // where the program has libraries of its own; a library finds there too what is loaded already
	for len(queue) > 0 {
		file, err := elf.Open(queue[0])
		if err != nil {
			return nil, err
		}
		queue = queue[1:]
		more, err := file.DynString(elf.DT_RUNPATH)
		if err != nil {
			file.Close()
			return nil, err
		}
		own = append(own, more...)
		needs, err := needs(file, own)
		file.Close()
		if err != nil {
			return nil, err
		}
		for _, library := range needs {
			if !taken[library] {
				taken[library] = true
				queue = append(queue, library)
			}
		}
	}
	var all []string
	for library := range taken {
		all = append(all, library)
	}
	slices.Sort(all)
	return all, nil
}

// needs returns the paths of one file's interpreter and direct libraries.
func needs(file *elf.File, own []string) ([]string, error) {
	if file.Machine != elf.EM_X86_64 {
		return nil, errors.New("not an amd64 program")
	}
	var paths []string
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(name, 0); err != nil {
			return nil, err
		}
		paths = append(paths, string(name[:len(name)-1])) // without its NUL
	}
	names, err := file.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		path, err := findLibrary(name, own)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// findLibrary looks where the program's own are, and in the usual places.
func findLibrary(name string, own []string) (string, error) {
	for _, dir := range append(slices.Clip(own), "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib") {
		path := filepath.Join(dir, name)
		if file, err := elf.Open(path); err == nil {
			fits := file.Machine == elf.EM_X86_64
			file.Close()
			if fits {
				return path, nil
			}
		}
	}
	return "", errors.New("no library " + name)
}
