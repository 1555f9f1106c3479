package netlinkdump

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// message is a netlink message with four bytes of body.
func message(typ, flags uint16, body int32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+4)
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = append(b, make([]byte, 8)...)
	return binary.NativeEndian.AppendUint32(b, uint32(body))
}

func TestADatagramIsReadToItsEnd(t *testing.T) {
	const answer = 24
	one, other := message(answer, unix.NLM_F_MULTI, 1), message(99, 0, 2)
	for _, tc := range []struct {
		name     string
		datagram []byte
		found    int
		done     bool
		err      error
	}{
		{"more to come", append(append(one[:20:20], other...), one...), 2, false, nil},
		{"the end", append(one[:20:20], message(unix.NLMSG_DONE, 0, 0)...), 1, true, nil},
		{"changed meanwhile", message(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, 0), 0, true, ErrInterrupted},
		{"an error", message(unix.NLMSG_ERROR, 0, -int32(unix.ENOENT)), 0, true, unix.ENOENT},
		{"cut short", one[:17], 0, true, unix.EINVAL},
	} {
		var found [][]byte
		done, err := take(tc.datagram, answer, &found)
		if len(found) != tc.found || done != tc.done || !errors.Is(err, tc.err) {
			t.Errorf("%s: %d answers, done %v, %v", tc.name, len(found), done, err)
		}
	}
}

func TestRoutesAreListed(t *testing.T) {
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	r.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET}})
	found, err := List(unix.NETLINK_ROUTE, r, unix.RTM_NEWROUTE)
	if err != nil || len(found) == 0 { // 127.0.0.0/8 at least
		t.Errorf("%d routes, %v", len(found), err)
	}
}
