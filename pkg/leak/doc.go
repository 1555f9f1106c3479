// Package leak checks that a test leaves the machine as it found it.
//
// The problem. A container engine's worst bugs are quiet: the container is gone, and a mount, a cgroup directory, a
// veth, a firewall rule or a process stays. Nothing fails until there are ten thousand of them. So every test that
// touches the kernel begins with
//
//	leak.Check(t, runDir)
//
// which takes a picture of the machine, and another one when the test has ended, and fails the test if they differ.
//
// What the kernel offers. Everything that can be left behind is listed somewhere: mounts in /proc/self/mountinfo;
// cgroups as directories below each mounted hierarchy, v1 and v2; links and addresses over rtnetlink; tables, chains,
// rules, sets and elements over nfnetlink; processes, their zombies and their cgroups in /proc; listening sockets in
// /proc/net; our own file descriptors in /proc/self/fd; named network namespaces in /run/netns.
//
// What we do. Each thing becomes one line of readable text without numbers that change by themselves (mount IDs, packet
// counters), so that comparing is set difference and a report needs no decoding. The kernel removes some things late (a
// dying network namespace takes its links with it a moment afterwards), so the second picture is taken again for a few
// seconds until it fits. What went missing is reported too: removing somebody else's rule is as bad as leaving one's own.
//
// On a machine that others use, their changes would be taken for ours. So, except in CI, only things that carry a name
// of ours count: see Watch.
//
// What we leave out. Things that no list of the kernel shows from outside (a detached mount held by a file descriptor of
// another process, an unnamed namespace held by a bind mount in another mount namespace), sysctls, and memory.
//
// Chapter: containers, and the habit of the whole book to clean up after itself. Man pages: proc(5), cgroups(7),
// mount_namespaces(7), rtnetlink(7), nft(8), ip-netns(8).
package leak
