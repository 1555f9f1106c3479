package shim

import "testing"

// The collector of an idle shim is off: what each quiet moment leaves adds up.
func TestAQuietMomentLeavesNoGarbage(t *testing.T) {
	var i idler
	i.touch()
	defer i.timer.Stop()
	i.rest()
	if len(i.program) == 0 {
		t.Error("where is this program's own file?")
	}
	if n := testing.AllocsPerRun(100, func() { i.touch(); i.rest() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
