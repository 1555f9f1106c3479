package record

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// Who takes the lock while another one gives it up has it: it, and what they put
// beside it, must not go with the other one's directory.
func TestALockTakenDuringAReleaseStays(t *testing.T) {
	d := Dirs{Root: t.TempDir(), Run: t.TempDir()}
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	end := time.Now().Add(500 * time.Millisecond)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for time.Now().Before(end) {
				l, err := Hold(d, id)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				_ = os.WriteFile(d.Journal(id), nil, 0o600)
				time.Sleep(50 * time.Microsecond)
				for _, path := range []string{d.lock(id), d.Journal(id)} {
					if _, err := os.Stat(path); err != nil {
						t.Errorf("while the lock is held: %v", err)
					}
				}
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}
