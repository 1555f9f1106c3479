package explain

import (
	"bytes"
	"testing"
)

func TestAPlanIsDrawn(t *testing.T) {
	var b bytes.Buffer
	if err := Picture(&b, append(samplePlan(), inside("rootfs.volume:/a/very/long/path/in/the/container"), inside("process.exec"))); err != nil {
		t.Fatal(err)
	}
	golden(t, "picture.txt", b.Bytes())
}
