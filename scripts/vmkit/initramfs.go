package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
)

// File is something of the host to copy into the VM: a file or a directory.
type File struct{ Source, Target string }

//go:embed init.sh
var initScript string

// baseDirs are the mount points and work directories of the VM's root.
var baseDirs = []string{"dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "usr/bin", "usr/sbin", "usr/local/bin", "var/lib", "var/log"}

// baseFiles make programs that look up users and names behave as on an installed system.
var baseFiles = map[string]string{
	"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
	"etc/group":         "root:x:0:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n",
	"etc/hosts":         "127.0.0.1 localhost vm\n::1 localhost\n",
	"etc/hostname":      "vm\n",
	"etc/resolv.conf":   "",
	"etc/nsswitch.conf": "hosts: files dns\n",
	"etc/os-release":    "ID=minictr-vm\nPRETTY_NAME=\"minictr test VM\"\n",
	"etc/profile": "export PS1='vm:\\w# '\n" +
		// busybox's shell would run its own applets of these names, whatever PATH says.
		"for tool in ip; do [ -x /usr/local/bin/$tool ] && alias $tool=/usr/local/bin/$tool; done\n",
}

// buildInitramfs writes the VM's root file system: init, busybox, modules, tools, and what the caller wants in it. It
// stays uncompressed: under emulation the kernel would need longer to unpack it than the host needs to write it.
func (m *Machine) buildInitramfs(path string, kernel Kernel) error {
	busybox, err := findBusybox()
	if err != nil {
		return err
	}
	modules, err := collectModules(kernel)
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	into := newArchive(out)
	for _, dir := range baseDirs {
		into.Dir(dir, 0o755)
	}
	into.Dir("tmp", 0o1777)
	into.File("bin/busybox", busybox)
	into.Data("init", 0o755, initScript)
	for name, content := range baseFiles {
		into.Data(name, 0o644, content)
	}
	addModules(into, kernel, modules)
	tools, missing := findTools()
	for _, tool := range tools {
		into.File(tool.target, tool.source)
	}
	m.say("initramfs: %d modules, tools missing on this host: %v", len(modules), missing)
	if isDir("bin") {
		into.Tree("usr/local/bin", "bin") // what make built
	}
	for _, file := range m.Files {
		into.Tree(file.Target, file.Source)
	}
	into.Data("vm/command", 0o755, m.commandScript())
	if err := into.Close(); err != nil {
		return fmt.Errorf("build the initramfs: %w", err)
	}
	return out.Close()
}

func addModules(into *archive, kernel Kernel, modules []module) {
	base := "lib/modules/" + kernel.Release + "/"
	for _, m := range modules {
		into.Data(base+m.path, 0o644, string(m.data))
	}
	dep, alias := moduleIndex(modules)
	into.Data(base+"modules.dep", 0o644, dep)
	into.Data(base+"modules.alias", 0o644, alias)
	into.Data(base+"modules.symbols", 0o644, "")
}

// commandScript is what init runs: the environment, then the command in place of the shell.
func (m *Machine) commandScript() string {
	var script strings.Builder
	script.WriteString("#!/bin/sh\n")
	for _, pair := range m.Env {
		fmt.Fprintf(&script, "export %s\n", quote(pair))
	}
	if m.Interactive {
		script.WriteString(terminalSize())
	}
	script.WriteString("exec")
	for _, word := range m.Command {
		script.WriteString(" " + quote(word))
	}
	script.WriteByte('\n')
	return script.String()
}

// quote makes one shell word of any string.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
