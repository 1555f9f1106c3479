package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// wantedModules are directories and files under lib/modules/RELEASE/kernel that go into the VM, with everything they
// depend on. Loading is left to the kernel, which asks for a module when something first needs it (a link type, a file
// system, an nftables expression), as on any machine.
var wantedModules = []string{
	"net/netfilter", "net/bridge", "net/llc", "net/802", "net/8021q", "net/sched", "net/ipv4", "net/ipv6",
	"drivers/net/veth", "drivers/net/dummy", "drivers/net/tun", "drivers/net/tap", "drivers/net/macvlan", "drivers/net/macvtap",
	"drivers/net/ipvlan", "drivers/net/vxlan", "drivers/net/ifb", "drivers/net/virtio_net",
	"drivers/virtio", "drivers/block/loop", "drivers/block/virtio_blk", "drivers/char/virtio_console",
	"drivers/char/hw_random/virtio-rng", "fs/overlayfs", "fs/fuse", "fs/squashfs",
}

// module is one .ko file and what its .modinfo section says.
type module struct {
	path    string // relative to lib/modules/RELEASE
	name    string // with underscores, as the kernel writes it
	data    []byte // uncompressed
	depends []string
	aliases []string
}

// collectModules reads the wanted modules and, transitively, what they depend on.
func collectModules(kernel Kernel) ([]module, error) {
	files, err := moduleFiles(kernel.Modules)
	if err != nil {
		return nil, err
	}
	var queue []string
	for name, file := range files {
		if slices.ContainsFunc(wantedModules, func(want string) bool { return wanted(file, want) }) {
			queue = append(queue, name)
		}
	}
	slices.Sort(queue)
	taken := map[string]bool{}
	var modules []module
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if taken[name] {
			continue
		}
		taken[name] = true
		file, ok := files[name]
		if !ok {
			return nil, fmt.Errorf("kernel %s has no module %s, which another one depends on", kernel.Release, name)
		}
		found, err := readModule(kernel.Modules, file)
		if err != nil {
			return nil, err
		}
		modules = append(modules, found)
		queue = append(queue, found.depends...)
	}
	return modules, nil
}

// moduleFiles maps every module's name to its path relative to dir.
func moduleFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(dir, "kernel"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, _, found := strings.Cut(entry.Name(), ".ko"); found && !entry.IsDir() {
			relative, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			files[moduleName(name)] = relative
		}
		return nil
	})
	return files, err
}

// wanted says whether file is want itself (without its suffix) or below the directory want.
func wanted(file, want string) bool {
	rest, ok := strings.CutPrefix(file, "kernel/"+want)
	return ok && (strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, ".ko"))
}

// moduleName folds the two spellings of a name: files may have dashes, the kernel always says underscores.
func moduleName(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

func readModule(dir, file string) (module, error) {
	data, err := uncompressed(filepath.Join(dir, file))
	if err != nil {
		return module{}, fmt.Errorf("module %s: %w", file, err)
	}
	object, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return module{}, fmt.Errorf("module %s: %w", file, err)
	}
	section := object.Section(".modinfo")
	if section == nil {
		return module{}, fmt.Errorf("module %s has no .modinfo section", file)
	}
	info, err := section.Data()
	if err != nil {
		return module{}, fmt.Errorf("module %s: %w", file, err)
	}
	base, _, _ := strings.Cut(file, ".ko")
	found := parseModinfo(info)
	found.path, found.name, found.data = base+".ko", moduleName(filepath.Base(base)), data
	return found, nil
}

// parseModinfo reads the section's NUL-separated key=value pairs.
func parseModinfo(info []byte) module {
	var found module
	for pair := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case key == "depends" && value != "":
			for name := range strings.SplitSeq(value, ",") {
				found.depends = append(found.depends, moduleName(name))
			}
		case key == "alias":
			found.aliases = append(found.aliases, value)
		}
	}
	return found
}

// uncompressed reads a module; newer distributions ship .ko.xz or .ko.zst.
func uncompressed(path string) ([]byte, error) {
	switch filepath.Ext(path) {
	case ".xz":
		return exec.Command("xz", "-dc", path).Output()
	case ".zst":
		return exec.Command("zstd", "-dc", path).Output()
	}
	return os.ReadFile(path)
}

// moduleIndex renders modules.dep and modules.alias, the two files modprobe reads. Each line of modules.dep must list
// all modules to load before, nearest first.
func moduleIndex(modules []module) (dep, alias string) {
	byName := map[string]module{}
	for _, m := range modules {
		byName[m.name] = m
	}
	var deps, aliases strings.Builder
	for _, m := range modules {
		fmt.Fprintf(&deps, "%s:", m.path)
		for _, name := range transitive(m, byName) {
			fmt.Fprintf(&deps, " %s", byName[name].path)
		}
		deps.WriteByte('\n')
		for _, pattern := range m.aliases {
			fmt.Fprintf(&aliases, "alias %s %s\n", pattern, m.name)
		}
	}
	return deps.String(), aliases.String()
}

// transitive lists everything m needs, each before whatever that needs in turn.
func transitive(m module, byName map[string]module) []string {
	var order []string
	var visit func(names []string)
	visit = func(names []string) {
		for _, name := range names {
			// Named again deeper down: it must load even earlier, so it moves to the end.
			order = slices.DeleteFunc(order, func(earlier string) bool { return earlier == name })
			order = append(order, name)
			visit(byName[name].depends)
		}
	}
	visit(m.depends)
	return order
}
