package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// UnlockPts is ioctl(TIOCSPTLCK) with 0: the other side of the pty whose
// master is fd may be opened from now on (ioctl_tty(2), unlockpt(3)).
func UnlockPts(fd Arg) Call {
	zero := new(int32)
	return Ioctl(fd, Named{"TIOCSPTLCK", unix.TIOCSPTLCK}, memory{unsafe.Pointer(zero), func() string { return "[0]" }})
}

// OpenPts is ioctl(TIOCGPTPEER) (Linux 4.13): open the other side of the pty
// whose master is fd. No path is walked, so nothing that somebody mounted or
// linked over /dev/pts can put another file in its place.
func OpenPts(fd Arg, flags OpenFlags) Call {
	return Ioctl(fd, Named{"TIOCGPTPEER", unix.TIOCGPTPEER}, openFlagArg(flags))
}

// SetWinsize is ioctl(TIOCSWINSZ): the size of the terminal in characters. A
// change sends SIGWINCH to the terminal's foreground processes.
func SetWinsize(fd Arg, rows, cols uint16) Call {
	size := &unix.Winsize{Row: rows, Col: cols}
	show := func() string { return fmt.Sprintf("{ws_row=%d, ws_col=%d, ws_xpixel=0, ws_ypixel=0}", rows, cols) }
	return Ioctl(fd, Named{"TIOCSWINSZ", unix.TIOCSWINSZ}, memory{unsafe.Pointer(size), show}).
		As(fmt.Sprintf("stty rows %d cols %d", rows, cols))
}

// SetControllingTerminal is ioctl(TIOCSCTTY): the terminal behind fd becomes
// that of the calling session leader, and Ctrl-C reaches its processes.
func SetControllingTerminal(fd Arg) Call {
	return Ioctl(fd, Named{"TIOCSCTTY", unix.TIOCSCTTY}, Int(0))
}

// SetTermios is ioctl(TCSETS): the attributes of the terminal behind fd
// (ioctl_tty(2), termios(3)).
func SetTermios(fd Arg, t unix.Termios) Call {
	show := func() string {
		return fmt.Sprintf("{c_iflag=%#x, c_oflag=%#x, c_cflag=%#x, c_lflag=%#x, ...}", t.Iflag, t.Oflag, t.Cflag, t.Lflag)
	}
	return Ioctl(fd, Named{"TCSETS", unix.TCSETS}, memory{unsafe.Pointer(&t), show})
}
