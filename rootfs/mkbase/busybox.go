package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// busybox is a program that fits: static, for the wanted architecture, and with the applets that an image needs.
type busybox struct {
	binary  []byte
	version string
	applets []string // sorted
}

// needed are the names without which the image would not be worth having. A distribution may ship a smaller busybox
// for its initramfs; such a one is passed over.
var needed = []string{"sh", "ls", "cat", "echo", "true", "sleep", "id", "env", "ps", "mount", "ip", "ping", "nc", "wget", "tar", "stat"}

// find returns the first busybox that fits: the one it is told to take, the host's, or Debian's.
func find(arch, from, debget string) (busybox, error) {
	candidates := []string{"/bin/busybox", "/usr/bin/busybox"}
	if from != "" {
		candidates = []string{from}
	}
	for _, path := range candidates {
		box, err := inspect(path, arch)
		if err == nil {
			fmt.Printf("base image: busybox from %s\n", path)
			return box, nil
		}
		if from != "" {
			return busybox{}, err
		}
		if !errors.Is(err, os.ErrNotExist) {
			fmt.Printf("base image: passing over %v\n", err)
		}
	}
	return fetch(arch, debget)
}

// fetch takes the busybox out of Debian's (or Ubuntu's) package busybox-static, which is not installed.
func fetch(arch, debget string) (busybox, error) {
	fmt.Printf("base image: fetching the package busybox-static for %s\n", arch)
	dir, err := os.MkdirTemp("", "mkbase-")
	if err != nil {
		return busybox{}, err
	}
	defer os.RemoveAll(dir)
	command := exec.Command(debget, dir, arch, "busybox-static")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return busybox{}, fmt.Errorf("no static busybox here and none could be fetched (%w): "+
			"install one as /bin/busybox (Debian, Ubuntu: apt-get install busybox-static) and run make again", err)
	}
	// Newer releases ship it in /usr/bin only.
	box, err := inspect(filepath.Join(dir, "bin/busybox"), arch)
	if errors.Is(err, os.ErrNotExist) {
		box, err = inspect(filepath.Join(dir, "usr/bin/busybox"), arch)
	}
	return box, err
}

func inspect(path, arch string) (busybox, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return busybox{}, err
	}
	if err := checkStatic(binary, arch); err != nil {
		return busybox{}, fmt.Errorf("%s: %w", path, err)
	}
	box := busybox{binary: binary}
	if box.version, err = version(binary); err != nil {
		return busybox{}, fmt.Errorf("%s: %w", path, err)
	}
	if box.applets, err = applets(binary); err != nil {
		return busybox{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range needed {
		if !slices.Contains(box.applets, name) {
			return busybox{}, fmt.Errorf("%s: has no applet %s", path, name)
		}
	}
	return box, nil
}

// checkStatic refuses programs that the kernel could not start alone in an empty root: an ELF file that names an
// interpreter (ld.so) needs that file and its libraries too.
func checkStatic(binary []byte, arch string) error {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	file, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return err
	}
	if file.Machine != machines[arch] {
		return fmt.Errorf("is for %v, not %s", file.Machine, arch)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("is not statically linked")
		}
	}
	return nil
}

var versionText = regexp.MustCompile(`BusyBox v[0-9][ -~]*`)

func version(binary []byte) (string, error) {
	found := versionText.Find(binary)
	if found == nil {
		return "", errors.New("is not a busybox")
	}
	return string(found), nil
}

// applets reads the names out of the binary's own table: NUL-terminated, sorted, beginning with "[" and "[[", ended by
// an empty name. Reading the table instead of running `busybox --list` also works for another architecture.
func applets(binary []byte) ([]string, error) {
	start := bytes.Index(binary, []byte("\x00[\x00[[\x00"))
	if start < 0 {
		return nil, errors.New("has no applet table")
	}
	table := binary[start+1:]
	end := bytes.Index(table, []byte("\x00\x00"))
	if end < 0 {
		return nil, errors.New("has an applet table without an end")
	}
	names := strings.Split(string(table[:end]), "\x00")
	if !slices.IsSorted(names) {
		return nil, errors.New("has an applet table out of order")
	}
	return names, nil
}
