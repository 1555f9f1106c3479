// Package terminal gives a container a terminal of its own, and the user's
// terminal to it.
//
// # The problem
//
// A shell that is to edit lines, stop jobs with Ctrl-Z and know how wide the
// window is wants a terminal, not a pipe. The user's own terminal cannot be
// handed in: it belongs to another session, its name means nothing in the
// container, and the container would outlive it when it detaches.
//
// # What the kernel offers
//
// A pseudoterminal is a pair of devices. What is written to the master comes
// out of the other side (pts(4)) as if typed, and the other way round; between
// them sits the line discipline with echo, editing and signals. A devpts file
// system makes pairs: who opens its ptmx gets a new master, and ioctl
// TIOCGPTPEER opens the other side without walking a path. A session leader
// adopts a terminal with TIOCSCTTY; from then on Ctrl-C is a SIGINT to the
// terminal's foreground processes, and TIOCSWINSZ on the master a SIGWINCH.
//
// # What we do
//
// The pair is made inside the container, from the container's own devpts, so
// that tty(1) and ls -l /proc/self/fd name a device that exists there. Three
// steps do it: [Open] (inside) makes the pair, [Fetch] (host) copies the
// master out of the child with pidfd_getfd, [Attach] (inside) makes the other
// side the child's standard streams and its controlling terminal. [Console]
// binds it over /dev/console, as programs that log there expect.
//
// A second program in a running container ([OpenIn]) has the host open the
// container's ptmx instead, with a lookup that cannot leave its root.
//
// At the user's end, [Raw] switches line editing, echo and signals off, for
// the container's terminal does all that, and [Keys] finds the key sequence
// that detaches in what is typed.
//
// # What we leave out
//
// Terminals without a devpts mount, and passing the master over a socket to
// another process (an OCI runtime's --console-socket), which belongs to the
// OCI command line.
//
// Chapter: containers (attaching and detaching). Man pages: pty(7), pts(4),
// ioctl_tty(2), termios(3), pidfd_getfd(2), setsid(2), credentials(7).
package terminal
