package logging

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsGivenBackComesBackAsZeros(t *testing.T) {
	page := os.Getpagesize()
	whole := bytes.Repeat([]byte("x"), 8*page+100)
	b := whole[50 : 7*page+51]
	GiveBack(b[:0:len(b)])
	for _, part := range [][]byte{whole[:50], whole[7*page+51:]} {
		if strings.Trim(string(part), "x") != "" {
			t.Error("others' memory was given back, too")
		}
	}
	zeros := bytes.Count(b, []byte{0})
	if zeros < 6*page || zeros%page != 0 {
		t.Errorf("%d of %d bytes were given back", zeros, len(b))
	}
	copy(b, "again")
	if string(b[:5]) != "again" {
		t.Error("the memory is of no use any more")
	}
	GiveBack(nil)
	GiveBack(make([]byte, 10))
}

func TestAnIdleLogLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 3000
	for i := range lines {
		w.Write(Stdout, fmt.Appendf(nil, "line %d of several pages in all\nhalf ", i))
		if i%500 == 0 {
			w.Idle()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		want := fmt.Sprintf("line %d of several pages in all", i)
		if i > 0 {
			want = "half " + want
		}
		if !bytes.Contains(b, []byte(`{"log":"`+want+`\n","stream":"stdout"`)) {
			t.Fatalf("missing: %q", want)
		}
	}
	var none *Writer
	none.Idle()
}
