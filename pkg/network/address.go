package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// keptAddress turns the kernel's description of an address into the message
// that adds it, if the device has it for good and it is meant for everybody
// (IFA_F_PERMANENT and RT_SCOPE_UNIVERSE of rtnetlink(7)).
func keptAddress(m syscall.NetlinkMessage, index uint32) (address, bool) {
	family, bits, flags, scope := m.Data[0], m.Data[1], uint32(m.Data[2]), m.Data[3]
	if binary.NativeEndian.Uint32(m.Data[4:]) != index || scope != unix.RT_SCOPE_UNIVERSE {
		return address{}, false
	}
	attrs, err := nl.ParseRouteAttr(m.Data[unix.SizeofIfAddrmsg:])
	if err != nil {
		return address{}, false
	}
	var local, remote []byte
	r := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	to := nl.NewIfAddrmsg(int(family))
	to.Prefixlen, to.Scope = bits, scope
	r.AddData(to)
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_FLAGS: // has room for those that m.Data[2] has none for
			flags = binary.NativeEndian.Uint32(a.Value)
			continue
		case unix.IFA_LOCAL:
			local = a.Value
		case unix.IFA_ADDRESS:
			remote = a.Value
		case unix.IFA_BROADCAST, unix.IFA_RT_PRIORITY:
		default: // labels and ages are of the old place
			continue
		}
		r.AddData(nl.NewRtAttr(int(a.Attr.Type), a.Value))
	}
	if local == nil {
		local = remote // IPv6 has no other
	}
	ip, ok := netip.AddrFromSlice(local)
	if !ok || flags&unix.IFA_F_PERMANENT == 0 {
		return address{}, false
	}
	// The address has proved to be nobody else's.
	keep := flags & (unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_MCAUTOJOIN)
	if ip.Is6() {
		keep |= unix.IFA_F_NODAD
	}
	if keep != 0 {
		r.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(keep)))
	}
	return address{text: fmt.Sprintf("%s/%d", ip, bits), message: r.Serialize()}, true
}
