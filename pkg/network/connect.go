package network

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Options says what a container wants of its network. The zero value is a
// container without published ports.
type Options struct {
	Ports []PortMapping // as ParsePort returns them
	MTU   int           // 0: 1500
}

// DefaultRunDir is where state lives that does not survive a reboot.
const DefaultRunDir = "/run/minictr"

const defaultMTU = 1500

// bridgeNetwork describes the network of a state directory. Everything that it
// puts on the host has a name of its own per directory, so that instances with
// different ones (tests, say) do not remove each other's bridge.
func bridgeNetwork(runDir string) Network {
	n := Network{
		Name: "bridge", State: filepath.Join(runDir, "networks", "bridge"),
		Bridge: "minictr0", Table: "minictr", MTU: defaultMTU,
	}
	if runDir != DefaultRunDir {
		h := fnv.New32a()
		h.Write([]byte(filepath.Clean(runDir)))
		tag := fmt.Sprintf("%07x", h.Sum32()>>4)
		n.Bridge, n.Table = "minictr-"+tag, "minictr_"+tag
	}
	return n
}

// Connect gives container id its place in the network of runDir: an address,
// and its ports. Both are claimed in files, so any number of processes may do
// this at once; Disconnect gives them back. Nothing changes on the host yet:
// that is the business of the steps made from the Endpoint.
func Connect(runDir, id string, opt Options) (*Endpoint, error) {
	n := bridgeNetwork(runDir)
	unlock, err := n.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	ep, err := n.connect(id, opt)
	if err != nil && ep != nil {
		err = errors.Join(err, ep.release(os.Remove))
		ep = nil
	}
	return ep, err
}

func (n Network) connect(id string, opt Options) (*Endpoint, error) {
	if err := n.claimSubnet(); err != nil {
		return nil, err
	}
	if opt.MTU != 0 {
		n.MTU = opt.MTU
	}
	ip, err := n.lease(id)
	if err != nil {
		return nil, err
	}
	ep := &Endpoint{Network: n, ID: id, IP: ip, MAC: macOf(ip), HostLink: linkName(id, ip)}
	if err := ep.claimPorts(opt.Ports); err != nil {
		return ep, err
	}
	if ep.IPForward, err = ipForward(); err != nil {
		return ep, err
	}
	if ep.Blocking, err = n.blocking(); err == nil {
		ep.Legacy, err = n.legacyBlock()
	}
	return ep, err
}

// Preview is the Endpoint that Connect would return, as far as can be known
// without claiming anything: for showing a plan. It changes nothing at all. A
// host port that Connect would pick is 0.
func Preview(runDir, id string, opt Options) (*Endpoint, error) {
	n := bridgeNetwork(runDir)
	if _, err := n.chooseSubnet(); err != nil {
		return nil, err
	}
	if opt.MTU != 0 {
		n.MTU = opt.MTU
	}
	ip := n.after(n.lastLease())
	ep := &Endpoint{Network: n, ID: id, IP: ip, MAC: macOf(ip), HostLink: linkName(id, ip), Ports: opt.Ports}
	var err error
	if ep.IPForward, err = ipForward(); err != nil {
		return nil, err
	}
	if ep.Blocking, err = droppingChains(n.Table); err == nil {
		ep.Legacy, err = n.legacyBlock()
	}
	return ep, err
}

// Sweep gives back what containers hold that are no more, such as when the
// machine broke down between Connect and the writing of the container's files.
// exists is asked once for each.
func Sweep(runDir string, exists func(id string) bool) error {
	n := bridgeNetwork(runDir)
	unlock, err := n.lock()
	if err != nil {
		return err
	}
	defer unlock()
	known := make(map[string]bool)
	var errs []error
	for _, dir := range []string{"leases", "ports"} {
		dir = filepath.Join(n.State, dir)
		claims, err := owners(dir)
		errs = append(errs, err)
		for name, id := range claims {
			if _, asked := known[id]; !asked {
				known[id] = id != "" && exists(id)
			}
			if !known[id] {
				errs = append(errs, os.Remove(filepath.Join(dir, name)))
			}
		}
	}
	return errors.Join(errs...)
}

// Disconnect gives back what Connect claimed. It is safe to run twice: what
// another container has claimed since is not touched.
func Disconnect(runDir string, ep *Endpoint) error {
	unlock, err := ep.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return ep.release(os.Remove)
}

// release removes the endpoint's files. The caller holds the lock.
func (ep *Endpoint) release(remove func(path string) error) error {
	var errs []error
	for _, path := range ep.claims() {
		owner, err := readLine(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(owner)) != ep.ID {
			continue
		}
		if err == nil {
			err = remove(path)
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 { // that was done before: the network is not used by it now
		return nil
	}
	return errors.Join(append(errs, ep.touch())...)
}

// claims lists the endpoint's files.
func (ep *Endpoint) claims() []string {
	paths := []string{ep.leasePath(ep.IP)}
	for _, p := range ep.Ports {
		paths = append(paths, ep.claimPath(p.claim()))
	}
	return paths
}

// lock keeps every other process from claiming addresses and ports, and from
// removing the bridge, until the returned function is called.
func (n *Network) lock() (unlock func(), err error) {
	path := filepath.Join(n.State, "lock")
	fd, err := openLock(path)
	if errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(n.State, 0o755); err == nil {
			fd, err = openLock(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the network's lock %s: %w", path, err)
	}
	for {
		if err = unix.Flock(fd, unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err == nil {
		err = n.makeDirs()
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lock the network by %s: %w", path, err)
	}
	return func() { unix.Close(fd) }, nil
}

// makeDirs makes the directories of the claims, once.
func (n *Network) makeDirs() error {
	last := filepath.Join(n.State, "ports")
	if unix.Access(last, unix.F_OK) == nil {
		return nil
	}
	return errors.Join(os.MkdirAll(filepath.Join(n.State, "leases"), 0o755), os.MkdirAll(last, 0o755))
}

func openLock(path string) (int, error) {
	return unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
}

// claim makes a file that says whose it is; fs.ErrExist if it is there. A file
// without a name is of a process that died between the two, for we hold the
// lock.
func claim(path, id string) error {
	err := writeLine(path, id, unix.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		if owner, rerr := readLine(path); rerr == nil && len(owner) == 0 {
			err = writeLine(path, id, unix.O_TRUNC)
		}
	}
	return err
}

func ipForward() (bool, error) {
	b, err := readLine("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		return false, fmt.Errorf("ask whether the host forwards packets: %w", err)
	}
	return strings.TrimSpace(string(b)) == "1", nil
}
