package overlay

import (
	"strings"
	"testing"
)

func TestOptionsNameTheTopLayerFirstAndProtectSeparators(t *testing.T) {
	got := Layers{Lower: []string{"/top", "/a:b,c"}, Upper: "/u", Work: "/w"}.data()
	if want := `lowerdir=/top:/a\:b\,c,upperdir=/u,workdir=/w`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestManyLayersGoOneByOne(t *testing.T) {
	few := Mount(Layers{Lower: []string{"/a"}}, "/t")
	if few.Calls[0].Name != "mount" {
		t.Errorf("few layers: %s", few.Calls[0])
	}
	many := Mount(Layers{Lower: strings.Split(strings.Repeat("/var/lib/minictr/layers/x,", 200), ",")[:200]}, "/t")
	n := 0
	for _, c := range many.Calls {
		if strings.Contains(c.String(), `"lowerdir+"`) {
			n++
		}
	}
	if n != 200 {
		t.Errorf("%d layers set one by one, want 200", n)
	}
}
