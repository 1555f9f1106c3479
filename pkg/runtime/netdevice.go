package runtime

import (
	"errors"

	"golang.org/x/sys/unix"

	"minictr/pkg/network"
)

// takeDevices looks at the host's network devices that the container is to
// have.
func (b *builder) takeDevices() {
	if len(b.spec.Linux.NetDevices) == 0 {
		return
	}
	if !b.ns.Has(unix.CLONE_NEWNET) && !b.ns.Joins(unix.CLONE_NEWNET) {
		b.fail(errors.New("linux.netDevices: the container has the host's network, and so all of its devices"))
		return
	}
	names := make(map[string]string)
	for name, d := range b.spec.Linux.NetDevices {
		names[name] = d.Name
	}
	var err error
	if b.netDevices, err = network.Devices(names); err != nil {
		b.fail(err)
	}
}

// moveDevices gives them away. A namespace that is there already gets them
// before anybody enters it; a new one when its process is there.
func (b *builder) moveDevices(joined bool) {
	if b.ns.Joins(unix.CLONE_NEWNET) != joined {
		return
	}
	path := ""
	for _, j := range b.ns.Join {
		if j.Flag == unix.CLONE_NEWNET {
			path = j.Path
		}
	}
	for _, d := range b.netDevices {
		b.add(d.Move(path))
	}
}
