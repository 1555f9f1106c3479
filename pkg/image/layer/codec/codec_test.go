package codec

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"minictr/pkg/image/layer"
)

func TestTheDecodersReadWhatTheProgramsWrite(t *testing.T) {
	want := strings.Repeat("some content, ", 10_000)
	for kind, program := range map[layer.Compression]string{layer.Gzip: "gzip", layer.Zstd: "zstd"} {
		cmd := exec.Command(program, "-qc")
		cmd.Stdin = strings.NewReader(want)
		packed, err := cmd.Output()
		if err != nil {
			t.Skipf("needs the %s program: %v", program, err)
		}
		r, got, err := layer.Decompress(t.Context(), bytes.NewReader(packed))
		if err != nil || got != kind {
			t.Fatalf("seen as %s, %v", got, err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != want {
			t.Errorf("%s: %d bytes, %v", kind, len(text), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		r, _, err = layer.Decompress(t.Context(), bytes.NewReader(packed[:len(packed)-6]))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%s: a truncated stream reads without an error", kind)
		}
	}
}
