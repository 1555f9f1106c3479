package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// hostBox is the busybox a build here would embed; the test's own environment must have one.
func hostBox(t *testing.T) busybox {
	t.Helper()
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if box, err := inspect(path, runtime.GOARCH); err == nil {
			return box
		}
	}
	t.Skip("needs a static busybox on the host (package busybox-static)")
	return busybox{}
}

var tiny = busybox{binary: []byte("#!/bin/sh\n"), version: "BusyBox v0", applets: []string{"[", "init", "ip", "ls", "sh"}}

func members(t *testing.T, archive []byte) map[string]*tar.Header {
	t.Helper()
	uncompressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*tar.Header{}
	for reader := tar.NewReader(uncompressed); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header.Name] != nil {
			t.Errorf("%s is in the archive twice", header.Name)
		}
		found[header.Name] = header
	}
}

func build(t *testing.T, box busybox) []byte {
	t.Helper()
	var archive bytes.Buffer
	if err := write(&archive, image(box)); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func TestSameBusyboxGivesSameBytes(t *testing.T) {
	first := build(t, tiny)
	shuffled := image(tiny)
	slices.Reverse(shuffled)
	var second bytes.Buffer
	if err := write(&second, shuffled); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second.Bytes()) {
		t.Error("two builds of one busybox differ")
	}
}

func TestEveryMemberBelongsToRootAndHasOneTime(t *testing.T) {
	for name, header := range members(t, build(t, tiny)) {
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" {
			t.Errorf("%s is owned by %d:%d %q:%q", name, header.Uid, header.Gid, header.Uname, header.Gname)
		}
		if !header.ModTime.Equal(epoch) {
			t.Errorf("%s was modified at %v", name, header.ModTime)
		}
	}
}

func TestEveryMemberComesAfterItsDirectory(t *testing.T) {
	entries := image(tiny)
	for _, member := range entries {
		parent := filepath.Dir(strings.TrimSuffix(member.name, "/")) + "/"
		if parent == "./" {
			continue
		}
		if !slices.ContainsFunc(entries, func(e entry) bool { return e.name == parent && e.name < member.name }) {
			t.Errorf("%s has no directory %s before it", member.name, parent)
		}
	}
}

func TestSkeletonHasTheModesThatMatter(t *testing.T) {
	found := members(t, build(t, tiny))
	for name, mode := range map[string]int64{
		"tmp/": 0o1777, "var/tmp/": 0o1777, "root/": 0o700, "etc/shadow": 0o600, "etc/passwd": 0o644, "bin/busybox": 0o755,
	} {
		switch header := found[name]; {
		case header == nil:
			t.Errorf("%s is missing", name)
		case header.Mode != mode:
			t.Errorf("%s has mode %o, want %o", name, header.Mode, mode)
		}
	}
	for name, target := range map[string]string{"bin/sh": "/bin/busybox", "usr/bin/[": "/bin/busybox", "sbin/ip": "/bin/busybox"} {
		if header := found[name]; header == nil || header.Linkname != target {
			t.Errorf("%s does not link to %s: %+v", name, target, header)
		}
	}
	if found["sbin/init"] != nil || found["bin/init"] != nil {
		t.Error("init is in the image; it only makes sense for a machine that boots")
	}
}

func TestAppletTableIsReadFromTheBinary(t *testing.T) {
	for _, test := range []struct {
		name, binary string
		want         []string
		wrong        string
	}{
		{"a table", "code\x00[\x00[[\x00awk\x00sh\x00\x00more", []string{"[", "[[", "awk", "sh"}, ""},
		{"no table", "code", nil, "no applet table"},
		{"no end", "\x00[\x00[[\x00awk", nil, "without an end"},
		{"not sorted", "\x00[\x00[[\x00sh\x00awk\x00\x00", nil, "out of order"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := applets([]byte(test.binary))
			if !slices.Equal(got, test.want) || (err == nil) != (test.wrong == "") {
				t.Fatalf("applets = %q, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("error %q does not say %q", err, test.wrong)
			}
		})
	}
}

func TestAppletTableIsWhatBusyboxItselfLists(t *testing.T) {
	box := hostBox(t)
	program := filepath.Join(t.TempDir(), "busybox")
	if err := os.WriteFile(program, box.binary, 0o755); err != nil {
		t.Fatal(err)
	}
	listed, err := exec.Command(program, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields(string(listed)); !slices.Equal(box.applets, want) {
		t.Errorf("read %q\nlisted %q", box.applets, want)
	}
}

func TestUnfitProgramsArePassedOver(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	for _, test := range []struct {
		name, arch, wrong string
		content           []byte
	}{
		{"script", runtime.GOARCH, "bad magic", []byte("#!/bin/sh\nexit 0 and long enough\n")},
		{"other architecture", other, "not " + other, self},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name)
			if err := os.WriteFile(path, test.content, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := find(test.arch, path, "/nonexistent"); err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("error %v does not say %q", err, test.wrong)
			}
		})
	}
	if _, err := version([]byte("no such words")); err == nil {
		t.Error("a program that does not call itself BusyBox is taken for one")
	}
	if _, err := inspect(filepath.Join(dir, "absent"), runtime.GOARCH); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file gives %v", err)
	}
}
