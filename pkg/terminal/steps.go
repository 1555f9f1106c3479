package terminal

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Slots of the terminal's descriptors.
const (
	Master  kernel.Slot = "ptmx"    // the master, in the process that made it
	Peer    kernel.Slot = "pts"     // the other side: the program's terminal
	Copy    kernel.Slot = "console" // the master, in the shim, after Fetch or OpenIn
	pidfd   kernel.Slot = "console-pidfd"
	root    kernel.Slot = "console-root"
	mount   kernel.Slot = "console-mount"
	devFile kernel.Slot = "console-file"
)

// Options say how the terminal starts out.
type Options struct {
	Devpts        string // the container's devpts as the child sees it; empty: /dev/pts
	Width, Height uint16 // in characters; zero: as the kernel has it, 0 by 0
	UID           int    // the program's user, who owns the terminal; as the child sees it

	// PlainLines has lines end with \n alone, where a new terminal says \r\n:
	// for output that may go to a file or a pipe. Where it goes to another
	// terminal, that one adds the \r (RawInput).
	PlainLines bool
}

const (
	noUndo = "descriptors close with the last process that holds them, and the pair with its last descriptor"
	ptyIO  = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
)

// Open makes the pair, inside, after the container's devpts is mounted. The
// child then tells the host, which must [Fetch]; it does not wait.
func Open(o Options) step.Step {
	devpts := o.Devpts
	if devpts == "" {
		devpts = "/dev/pts"
	}
	calls := append(
		// O_NOCTTY: a session leader that opens a terminal would adopt it.
		// No link may lead to another devpts (CVE-2025-52565).
		[]kernel.Call{kernel.Openat2(kernel.AtFDCWD, devpts+"/ptmx", ptyIO, 0, unix.RESOLVE_NO_SYMLINKS).Into(Master)},
		pair(Master, o)...)
	return step.Step{
		Name: "terminal.open", Topic: book.Terminal, Side: step.Inside,
		Why:   "A terminal is two devices back to back; the program gets one side, the shim the other.",
		Calls: append(calls, own(o.UID), kernel.Tell()),
		Rule:  noUndo,
	}
}

// own gives the terminal to the program's user. The group stays the one that
// devpts gives it (gid=5, tty): chown to -1.
func own(uid int) kernel.Call {
	return kernel.Fchownat(kernel.FD(Peer), "", uid, -1, unix.AT_EMPTY_PATH).As(fmt.Sprintf("chown %d $(tty)", uid))
}

// pair opens the other side of master and sets its size: before the program
// starts, for it may ask once, at its beginning.
func pair(master kernel.Slot, o Options) []kernel.Call {
	calls := []kernel.Call{
		kernel.UnlockPts(kernel.FD(master)),
		kernel.OpenPts(kernel.FD(master), ptyIO).Into(Peer),
	}
	if o.PlainLines {
		calls = append(calls, kernel.SetTermios(kernel.FD(Peer), plain()).As("stty -onlcr"))
	}
	if o.Width > 0 && o.Height > 0 {
		calls = append(calls, kernel.SetWinsize(kernel.FD(master), o.Height, o.Width))
	}
	return calls
}

// plain are the attributes of a new terminal (tty_std_termios in the kernel's
// drivers/tty/tty_io.c) but for ONLCR.
func plain() unix.Termios {
	t := unix.Termios{
		Iflag: unix.ICRNL | unix.IXON,
		Oflag: unix.OPOST,
		Cflag: unix.B38400 | unix.CS8 | unix.CREAD,
		Lflag: unix.ISIG | unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE | unix.IEXTEN,
	}
	for key, value := range map[int]uint8{
		unix.VINTR: 3, unix.VQUIT: 0o34, unix.VERASE: 0o177, unix.VKILL: 'U' - 64, unix.VEOF: 4, unix.VMIN: 1,
		unix.VSTART: 'Q' - 64, unix.VSTOP: 'S' - 64, unix.VSUSP: 'Z' - 64, unix.VREPRINT: 'R' - 64, unix.VDISCARD: 'O' - 64,
		unix.VWERASE: 'W' - 64, unix.VLNEXT: 'V' - 64,
	} {
		t.Cc[key] = value
	}
	return t
}

// Fetch copies the master out of the child into slot [Copy]: the host's half
// of the meeting that Open begins and Attach ends.
func Fetch() step.Step {
	return step.Step{
		Name: "terminal.fetch", Topic: book.Terminal, Side: step.Host,
		Why: "The shim needs the master to pass on what is typed and printed; a descriptor can be copied out of another process.",
		Calls: []kernel.Call{
			kernel.PidfdOpen(kernel.FD(step.PID)).Into(pidfd),
			kernel.PidfdGetfd(kernel.FD(pidfd), kernel.FD(Master)).Into(Copy),
			kernel.Close(kernel.FD(pidfd)),
		},
		Rule: noUndo,
	}
}

// Attach waits until the host has its copy of the master and makes the other
// side the child's standard streams and its controlling terminal. The master
// closes at execve; were the child faster than the host, it would be the last
// one to close it and the terminal would hang up.
func Attach() step.Step {
	return attach(kernel.Await())
}

func attach(first ...kernel.Call) step.Step {
	return step.Step{
		Name: "terminal.attach", Topic: book.Terminal, Side: step.Inside,
		Why: "A session with this terminal as its own: now Ctrl-C is a signal, and the window's size is known.",
		Calls: append(first,
			kernel.Setsid(), // only a session's leader can adopt a terminal, and only one without
			kernel.SetControllingTerminal(kernel.FD(Peer)),
			kernel.Dup3(kernel.FD(Peer), 0, false),
			kernel.Dup3(kernel.FD(Peer), 1, false),
			kernel.Dup3(kernel.FD(Peer), 2, false),
		),
		Rule: noUndo,
	}
}

// Console binds the terminal over /dev/console, an empty file made for it if
// there is none. It comes after Open, inside the new root.
func Console() step.Step {
	const console = "/dev/console"
	const made kernel.Slot = "console-made"
	return step.Step{
		Name: "terminal.console", Topic: book.Terminal, Side: step.Inside,
		Why: "Programs that write to the system console find the container's terminal there, never the host's.",
		Calls: []kernel.Call{
			kernel.Openat2(kernel.AtFDCWD, console, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600, unix.RESOLVE_NO_SYMLINKS).
				Allowing(unix.EEXIST).Into(made),
			kernel.Close(kernel.FD(made)).IfOK(made),
			// A link here must not choose another file. O_PATH: a device here is not opened.
			kernel.Openat2(kernel.AtFDCWD, console, unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_NO_SYMLINKS).Into(devFile),
			kernel.OpenTree(kernel.FD(Peer), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mount),
			kernel.MoveMount(kernel.FD(mount), "", kernel.FD(devFile), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
				As("mount --bind /dev/pts/0 " + console),
			kernel.Close(kernel.FD(mount)),
			kernel.Close(kernel.FD(devFile)),
		},
		Rule: "the mount vanishes with the container's mount namespace",
	}
}

// OpenIn makes a pair in the devpts of the running container whose first
// process is pid: a Host step of a plan that starts a second program there
// (exec). Its child inherits both sides, and [Inherit] takes the place of
// Attach; there is nothing to fetch. o.UID belongs to Inherit.
//
// The path is walked inside the container's root, so its links cannot lead to
// the host's files.
func OpenIn(pid int, o Options) step.Step {
	calls := append([]kernel.Call{
		kernel.Openat(kernel.AtFDCWD, fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_CLOEXEC, 0).Into(root),
		kernel.Openat2(kernel.FD(root), "dev/pts/ptmx", ptyIO, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS).Into(Copy),
		kernel.Close(kernel.FD(root)),
	}, pair(Copy, o)...)
	return step.Step{
		Name: "terminal.open", Topic: book.Terminal, Side: step.Host,
		Why:   "The new program's terminal comes from the container's own devpts, so that its name means something in there.",
		Calls: calls,
		Rule:  noUndo,
	}
}

// Inherit is [Attach] for a terminal that OpenIn made. The child gives it to
// its user, for only the child sees users as the container does.
func Inherit(uid int) step.Step { return attach(own(uid)) }

// Release closes the host's descriptor of the program's side after the clone:
// while the host holds it, the end of the program is no end of the terminal.
func Release() step.Step {
	return step.Step{
		Name: "terminal.release", Topic: book.Terminal, Side: step.Host,
		Why:   "The terminal ends when its last user is gone; the host is no user.",
		Calls: []kernel.Call{kernel.Close(kernel.FD(Peer))},
		Rule:  noUndo,
	}
}
