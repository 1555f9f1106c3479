package network

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/network/nft"
	"minictr/pkg/step"
)

// RemoveIfUnused takes the bridge and all rules off the host when no container
// has an address any more and the network has not been used for a while. It
// holds the lock that Connect takes, so a new container meets a whole bridge
// or none.
//
// Removing takes the kernel a tenth of a second. So a shim whose container has
// ended calls Disconnect, waits for some seconds, and then calls this with the
// same time as idle: of many that end, the last one does it. If the network is
// unused, but not yet for that long, again says in what time to call again. do
// makes the calls; nil makes them silently.
func RemoveIfUnused(runDir string, idle time.Duration, do step.Do) (again time.Duration, err error) {
	n := bridgeNetwork(runDir)
	if do == nil {
		do = step.Direct()
	}
	unlock, err := n.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	if owners, err := n.leases(); err != nil || len(owners) > 0 {
		return 0, err
	}
	if again = idle - n.idle(); idle > 0 && again > 0 {
		return again, nil
	}
	return 0, n.removeIfUnused(do)
}

// Linger is how long a network stays when its last container has gone: removing
// it takes the kernel a tenth of a second, and often another container comes.
const Linger = time.Second

// RemoveForgotten is RemoveIfUnused for any command that comes later: it removes a
// network that has been unused for so long that whoever was to remove it must
// have been killed meanwhile. While there is no network it costs one lstat.
func RemoveForgotten(runDir string) error {
	n := bridgeNetwork(runDir)
	if _, err := os.Lstat("/sys/class/net/" + n.Bridge); err != nil || n.idle() < 2*Linger {
		return nil
	}
	if names, _ := os.ReadDir(n.leasesPath()); len(names) > 0 { // else the answer under the lock counts
		return nil
	}
	_, err := RemoveIfUnused(runDir, 2*Linger, nil)
	return err
}

// Abandon is Disconnect for a container that no shim looks after, or never did: a
// start that failed early. While it had its address, others may have ended and
// left the network to it; so if it was the last, the network goes too.
func Abandon(ep *Endpoint) error {
	unlock, err := ep.lock()
	if err != nil {
		return err
	}
	defer unlock()
	released := false
	err = ep.release(func(path string) error {
		released = true
		return os.Remove(path)
	})
	if _, gone := os.Lstat("/sys/class/net/" + ep.Bridge); !released || gone != nil {
		return err
	}
	return errors.Join(err, ep.removeIfUnused(step.Direct()))
}

// leave is the undo of Bridge.
func leave(ep *Endpoint, do step.Do) error {
	unlock, err := ep.lock()
	if err != nil {
		return err
	}
	defer unlock()
	err = ep.release(func(path string) error {
		return do(kernel.Unlinkat(kernel.AtFDCWD, path, 0).Allowing(unix.ENOENT).As("rm " + path))
	})
	return errors.Join(err, ep.removeIfUnused(do))
}

// removeIfUnused is safe to run twice: what is not there any more is as good as
// removed. The rules go first: they do nothing without the bridge, while the
// bridge without them would let anything through.
func (n *Network) removeIfUnused(do step.Do) error {
	owners, err := n.leases()
	if err != nil || len(owners) > 0 {
		return err
	}
	b := new(nft.Batch)
	b.DeleteTable(n.table())
	calls := b.Calls(kernel.FD(filterSocket))
	calls[1] = calls[1].Allowing(unix.ENOENT)
	err = doOn(do, kernel.NetlinkNetfilter, filterSocket, calls)
	return errors.Join(err, deleteLink(n.Bridge, do), n.unforward(do), n.unlegacy())
}
