package kernel

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// UnixSocket opens a unix(7) stream socket.
func UnixSocket() Call {
	return Socket(Named{"AF_UNIX", unix.AF_UNIX}, SockStream, Named{"0", 0})
}

// ConnectUnix is connect(2) to the socket that listens at path. A path that
// begins with @ is a name in the abstract name space, which is no file.
func ConnectUnix(fd Arg, path string) Call {
	sa := &unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	size := int(unsafe.Offsetof(sa.Path)) + len(path)
	name, abstract := strings.CutPrefix(path, "@")
	show := func() string {
		return fmt.Sprintf("{sa_family=AF_UNIX, sun_path=%s}", quote([]byte(path), math.MaxInt))
	}
	if abstract {
		show = func() string {
			return fmt.Sprintf("{sa_family=AF_UNIX, sun_path=@%s}", quote([]byte(name), math.MaxInt))
		}
	} else {
		size++ // the NUL at the end
	}
	address := Arg(memory{unsafe.Pointer(sa), show})
	if len(path) >= len(sa.Path) || strings.IndexByte(path, 0) >= 0 {
		address = refused{address, fmt.Sprintf("the path of a socket holds up to %d bytes and no NUL: %q", len(sa.Path)-1, path)}
	}
	for i := 0; i < len(path) && i < len(sa.Path); i++ {
		sa.Path[i] = int8(path[i])
	}
	if abstract {
		sa.Path[0] = 0
	}
	return call("connect", unix.SYS_CONNECT, fd, address, Int(size))
}

// refused is an argument that no table takes: its call cannot be made.
type refused struct {
	Arg
	why string
}

func (v refused) word(t *table) operand {
	t.refuse("%s", v.why)
	return immediate(0)
}

// Send is sendto(2) of a message on a connected socket.
func Send(socket Arg, m *Message) Call {
	return call("sendto", unix.SYS_SENDTO, socket, m, Int(len(m.Bytes)), Named{"MSG_NOSIGNAL", unix.MSG_NOSIGNAL}, Null, Int(0))
}

// Receive is recvfrom(2) into a buffer of the caller's. What the buffer will
// hold is not known before the call.
func Receive(socket Arg, into []byte) Call {
	show := func() string { return `"…"` }
	return call("recvfrom", unix.SYS_RECVFROM, socket, memory{unsafe.Pointer(unsafe.SliceData(into)), show}, Int(len(into)), Int(0), Null, Null)
}

// ReceiveTimeout is setsockopt(2) with SO_RCVTIMEO: who receives waits for so
// many seconds, and then gets EAGAIN.
func ReceiveTimeout(socket Arg, seconds int64) Call {
	v := &unix.Timeval{Sec: seconds}
	show := func() string { return fmt.Sprintf("{tv_sec=%d, tv_usec=0}", seconds) }
	return call("setsockopt", unix.SYS_SETSOCKOPT, socket, Named{"SOL_SOCKET", unix.SOL_SOCKET}, Named{"SO_RCVTIMEO_OLD", unix.SO_RCVTIMEO},
		memory{unsafe.Pointer(v), show}, Int(unsafe.Sizeof(*v)))
}

// SendFD is sendmsg(2): text, and beside it a descriptor (SCM_RIGHTS, unix(7))
// of which the receiver gets a copy.
func SendFD(socket Arg, text Path, fd Slot) Call {
	return call("sendmsg", unix.SYS_SENDMSG, socket, parcel{text, fd}, Named{"MSG_NOSIGNAL", unix.MSG_NOSIGNAL})
}

// parcel is a struct msghdr with one buffer and one descriptor.
type parcel struct {
	content Path
	fd      Slot
}

func (v parcel) text(slots map[Slot]uintptr) string {
	content := v.content.join(func(s Slot) string { return slotArg(s).text(slots) })
	return fmt.Sprintf("{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=%s, iov_len=%d}], msg_iovlen=1, "+
		"msg_control=[{cmsg_len=%d, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[%s]}], msg_controllen=%d, msg_flags=0}",
		quote([]byte(content), math.MaxInt), len(content), unix.CmsgLen(4), slotArg(v.fd).text(slots), unix.CmsgSpace(4))
}

func (v parcel) word(t *table) operand {
	content := []byte(v.content.join(func(s Slot) string { return formatRet(t.parents(s)) }))
	control := unix.UnixRights(int(t.parents(v.fd)))
	vector := &unix.Iovec{Base: unsafe.SliceData(content), Len: uint64(len(content))}
	return t.pointer(unsafe.Pointer(&unix.Msghdr{Iov: vector, Iovlen: 1, Control: &control[0], Controllen: uint64(len(control))}))
}
