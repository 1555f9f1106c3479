// Package process prepares what a program is born with (its standard
// descriptors, user, limits, working directory, environment) and ends the plan
// with execve.
//
// # The problem
//
// execve keeps almost everything of the process that calls it: open
// descriptors, credentials, limits, the session. What should not reach the
// container's program must be gone before, and each right is given up only
// after the last call that needed it.
//
// # What we do
//
// The order is the point:
//
//   - [Hide] first, then [Session] and [Stdio]: a session of its own, descriptors 0, 1, 2.
//   - [Sysctl] while /proc/sys is still writable, [OOMScore] and [Limits] while
//     the process may still raise them.
//   - [Enter] makes the working directory as root and goes there.
//   - capabilities and seccomp (packages of their own) around [User], for
//     changing the user drops the capabilities.
//   - [Tidy] has everything but the standard descriptors closed at the moment of
//     execve (close_range with CLOSE_RANGE_CLOEXEC), so no descriptor of a host
//     directory can leak into the container (CVE-2024-21626).
//   - [Exec] is all that is left after a seccomp filter under no_new_privs.
//
// The candidates of PATH are tried in the kernel, by execve itself, inside the
// container's root: looking the program up from outside would be a guess.
//
// # What we leave out
//
// Resolving names of users: that is done by whoever writes the configuration.
//
// Book: chapters 5 and 7. Man pages: execve(2), credentials(7), prlimit(2),
// close_range(2), proc(5), environ(7).
package process
