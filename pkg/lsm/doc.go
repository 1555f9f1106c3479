// Package lsm puts a container under mandatory access control: an AppArmor
// profile or an SELinux label.
//
// # The problem
//
// Owners, modes and capabilities decide what a process may do as long as the
// walls around it hold. If a program breaks out (through a kernel bug, or a
// mount that should not have been there), it is root on the host, and root may
// do as it likes with files. Mandatory access control asks a second time, by
// rules that root inside the container cannot change.
//
// # What the kernel offers
//
// Linux security modules hook into every access. The two that containers use
// differ in what they look at: AppArmor (Debian, Ubuntu, SUSE) judges by path,
// with a profile for a program; SELinux (Fedora, RHEL) judges by labels on
// processes and files. Both let a process choose, by writing to a file of its own in
// /proc, what the program it is about to execute runs under.
//
// # What we do
//
// [AppArmor] and [SELinux] write to that file. It is only a choice: nothing
// changes before execve, so the step stands at the very beginning, while /proc
// is still the host's. That is on purpose. Once the container's root is entered,
// /proc is whatever image and volumes have made of it; runtimes that opened
// the file there were tricked into writing the profile's name into an ordinary
// file, and ran the container unconfined (CVE-2019-16884, CVE-2023-28642).
//
// [Detect] asks which modules the kernel runs. Package profile, beneath this
// one, has the AppArmor rules of ordinary containers and loads them.
//
// # What we leave out
//
// Labels of files (relabelling volumes, the context= option of mounts) and of
// keyrings; without them SELinux would refuse the container its own files, so
// an SELinux label is used only where a config.json asks for one. Landlock is
// for programs that confine themselves.
//
// Chapter: Security in Docker (AppArmor, SELinux). Man pages: apparmor(7),
// aa_change_onexec(2), selinux(8), setexeccon(3), proc_pid_attr(5).
package lsm
