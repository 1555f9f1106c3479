package shim_test

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/wire"
)

// A machine's shutdown asks the shim; what the user's policy says is for the
// time when the machine is there again.
func TestAskedToEndTheShimAsksItsContainer(t *testing.T) {
	second, never := time.Second/5, time.Duration(-1)
	polite, deaf := "trap 'exit 3' USR1; echo up; while :; do sleep 0.02; done", "echo up; exec sleep 1000"
	for _, tc := range []struct {
		what, script string
		ending       shim.Ending
		pause        bool
		sent         []syscall.Signal
		code         int
	}{
		{"stop signal", polite, shim.Ending{Signal: unix.SIGUSR1, Timeout: &never}, false, []syscall.Signal{unix.SIGTERM}, 3},
		{"twice", polite, shim.Ending{Signal: unix.SIGUSR1, Timeout: &never}, false, []syscall.Signal{unix.SIGINT, unix.SIGTERM}, 3},
		{"paused", polite, shim.Ending{Signal: unix.SIGUSR1, Timeout: &never}, true, []syscall.Signal{unix.SIGTERM}, 3},
		{"deaf", deaf, shim.Ending{Timeout: &second}, false, []syscall.Signal{unix.SIGTERM}, 137},
		{"at once", deaf, shim.Ending{Timeout: &never}, false, []syscall.Signal{unix.SIGTERM, unix.SIGQUIT}, 137},
	} {
		t.Run(tc.what, func(t *testing.T) {
			b := newBox(t, tc.script, func(b *box) {
				b.config.Restart, b.config.Ending = shim.Policy{Name: shim.UnlessStopped}, tc.ending
			})
			o, _, _ := b.options()
			up := newWatcher("up\n")
			o.Stdout = up
			s := b.start(o)
			up.wait(t)
			if tc.pause {
				if err := b.ask(wire.Request{Do: wire.DoPause}); err != nil {
					t.Fatal(err)
				}
			}
			for _, sig := range tc.sent {
				if err := syscall.Kill(b.state().ShimPid, sig); err != nil {
					t.Fatal(err)
				}
			}
			if code := b.wait(s); code != tc.code {
				t.Errorf("code %d, want %d", code, tc.code)
			}
			waitFor(t, func() bool { return b.state().Status == record.Exited })
			st := b.state()
			if st.ExitCode != tc.code || st.Restarts != 0 || st.Stopped {
				t.Errorf("%+v", st)
			}
			if p := (shim.Policy{Name: shim.UnlessStopped}); !p.AtBoot(st.Stopped) {
				t.Error("it would not be started with the machine")
			}
		})
	}
}
