package layer

import (
	"archive/tar"
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFullDiskIsNamed(t *testing.T) {
	b, err := FreeBudget(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = b.Charge(&tar.Header{Typeflag: tar.TypeReg, Size: math.MaxInt64})
	if !errors.Is(err, ErrTooBig) || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	few := Budget{Limits: Limits{Bytes: 1, Entries: 1}}
	if err := few.Charge(&tar.Header{Typeflag: tar.TypeReg, Size: 2}); err == nil || errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v", err)
	}
}
