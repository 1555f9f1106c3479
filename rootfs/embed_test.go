package rootfs

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTarballAndProvenanceComeTogether(t *testing.T) {
	tarball, tarballErr := Tarball()
	provenance, provenanceErr := Provenance()
	if tarballErr != nil {
		if !errors.Is(tarballErr, ErrNotBuilt) || !errors.Is(provenanceErr, ErrNotBuilt) {
			t.Fatalf("without an image: Tarball says %v, Provenance %v", tarballErr, provenanceErr)
		}
		t.Skip("needs the base image (run make): " + tarballErr.Error())
	}
	if !bytes.HasPrefix(tarball, []byte{0x1f, 0x8b}) {
		t.Errorf("the tarball begins with % x, not gzip's magic", tarball[:2])
	}
	if !strings.HasPrefix(provenance, "BusyBox v") || provenanceErr != nil {
		t.Errorf("provenance is %q, %v", provenance, provenanceErr)
	}
}

// TestShellRunsInTheUnpackedImage is the image's whole promise: an empty root and nothing else, and a shell works.
func TestShellRunsInTheUnpackedImage(t *testing.T) {
	tarball, err := Tarball()
	if err != nil {
		t.Skip("needs the base image (run make): " + err.Error())
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for chroot")
	}
	root := t.TempDir()
	unpack := exec.Command("tar", "xzf", "-", "-C", root)
	unpack.Stdin = bytes.NewReader(tarball)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v\n%s", err, out)
	}
	script := `PATH=/bin:/sbin:/usr/bin:/usr/sbin; id -un; awk 'BEGIN{print 6*7}'; stat -c %a /tmp; [ -x /bin/sh ] && ls /proc`
	shell := exec.Command("/bin/sh", "-c", script)
	shell.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	shell.Dir = "/"
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("sh in the image: %v\n%s", err, out)
	}
	if got, want := string(out), "root\n42\n1777\n"; got != want {
		t.Errorf("the shell printed %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/os-release")); err != nil {
		t.Error(err)
	}
}
