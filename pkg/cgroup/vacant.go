package cgroup

import (
	"errors"
	"fmt"
)

// ErrFrozen and the message of Vacant are in runc's words.
var ErrFrozen = errors.New("container's cgroup unexpectedly frozen")

// Vacant looks at a cgroup that Create has found under the container's path.
// An engine may have made it, with limits of its own, for the container to
// enter (Group.Found says so then). But nobody may live in it: their limits
// would change, and they would be killed with the container.
func (g Group) Vacant() error {
	for _, dir := range g.everywhere() {
		pids, err := procs(dir)
		if err != nil {
			return err
		}
		if len(pids) > 0 {
			return fmt.Errorf("container's cgroup is not empty: %d process(es) found in %s", len(pids), dir)
		}
	}
	if g.frozen() {
		return fmt.Errorf("%w: %s", ErrFrozen, g.anchor())
	}
	return nil
}

// frozen: whoever enters would stand still. An empty cgroup2 group counts as
// frozen as soon as it is told to freeze.
func (g Group) frozen() bool {
	frozen, err := g.Frozen()
	return err == nil && frozen
}
