package main

import (
	"fmt"
	"slices"
	"strings"
)

// entry is one member of the archive. The mode's type is implied: a link target makes a symlink, a trailing slash in
// the name a directory, anything else a file.
type entry struct {
	name string
	mode int64
	link string
	data string
}

// image is the whole content: skeleton, the busybox, and a symlink for each of its names.
func image(box busybox) []entry {
	entries := slices.Clone(directories)
	entries = append(entries, files...)
	entries = append(entries, entry{name: "etc/os-release", mode: 0o644, data: osRelease(box.version)})
	entries = append(entries, entry{name: "bin/busybox", mode: 0o755, data: string(box.binary)})
	for _, name := range box.applets {
		if slices.Contains(leftOut, name) {
			continue
		}
		entries = append(entries, entry{name: place(name), mode: 0o777, link: "/bin/busybox"})
	}
	return entries
}

// directories are the mount points the kernel's own file systems need (dev, proc, sys, run, tmp) and the places
// programs expect. /tmp is sticky: everybody may write, nobody may delete another's file. /root is root's alone.
var directories = []entry{
	{name: "bin/", mode: 0o755},
	{name: "dev/", mode: 0o755},
	{name: "etc/", mode: 0o755},
	{name: "home/", mode: 0o755},
	{name: "home/guest/", mode: 0o755},
	{name: "lib/", mode: 0o755},
	{name: "media/", mode: 0o755},
	{name: "mnt/", mode: 0o755},
	{name: "opt/", mode: 0o755},
	{name: "proc/", mode: 0o555},
	{name: "root/", mode: 0o700},
	{name: "run/", mode: 0o755},
	{name: "sbin/", mode: 0o755},
	{name: "srv/", mode: 0o755},
	{name: "sys/", mode: 0o555},
	{name: "tmp/", mode: 0o1777},
	{name: "usr/", mode: 0o755},
	{name: "usr/bin/", mode: 0o755},
	{name: "usr/lib/", mode: 0o755},
	{name: "usr/local/", mode: 0o755},
	{name: "usr/local/bin/", mode: 0o755},
	{name: "usr/sbin/", mode: 0o755},
	{name: "usr/share/", mode: 0o755},
	{name: "var/", mode: 0o755},
	{name: "var/cache/", mode: 0o755},
	{name: "var/empty/", mode: 0o555},
	{name: "var/lib/", mode: 0o755},
	{name: "var/log/", mode: 0o755},
	{name: "var/spool/", mode: 0o755},
	{name: "var/tmp/", mode: 0o1777},
	{name: "var/run", mode: 0o777, link: "../run"},
}

// files is /etc. hostname, hosts and resolv.conf are placeholders: every container gets its own mounted over them, and
// a bind mount of a file needs a file to be mounted on.
var files = []entry{
	{name: "etc/passwd", mode: 0o644, data: lines(
		"root:x:0:0:root:/root:/bin/sh",
		"bin:x:1:1:bin:/bin:/sbin/nologin",
		"daemon:x:2:2:daemon:/sbin:/sbin/nologin",
		"mail:x:8:12:mail:/var/spool/mail:/sbin/nologin",
		"www-data:x:82:82:www-data:/srv:/sbin/nologin",
		"guest:x:405:100:guest:/home/guest:/bin/sh",
		"nobody:x:65534:65534:nobody:/:/sbin/nologin",
	)},
	{name: "etc/group", mode: 0o644, data: lines(
		"root:x:0:root",
		"bin:x:1:root,bin,daemon",
		"daemon:x:2:root,bin,daemon",
		"sys:x:3:root,bin",
		"adm:x:4:root,daemon",
		"tty:x:5:",
		"disk:x:6:root",
		"wheel:x:10:root",
		"mail:x:12:mail",
		"audio:x:18:",
		"www-data:x:82:",
		"users:x:100:guest",
		"nogroup:x:65533:",
		"nobody:x:65534:",
	)},
	// No account has a password: "*" matches none. Only root may read the file, as everywhere.
	{name: "etc/shadow", mode: 0o600, data: lines(
		"root:*::0:::::", "bin:*::0:::::", "daemon:*::0:::::", "mail:*::0:::::",
		"www-data:*::0:::::", "guest:*::0:::::", "nobody:*::0:::::",
	)},
	{name: "etc/profile", mode: 0o644, data: lines(
		"# Read by login shells (sh -l).",
		"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"export PAGER=less",
		`PS1='\h:\w\$ '`,
		"umask 022",
	)},
	{name: "etc/hostname", mode: 0o644, data: "localhost\n"},
	{name: "etc/hosts", mode: 0o644, data: lines("127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback")},
	{name: "etc/resolv.conf", mode: 0o644, data: ""},
	{name: "etc/nsswitch.conf", mode: 0o644, data: lines("passwd: files", "group: files", "hosts: files dns")},
	{name: "etc/shells", mode: 0o644, data: lines("/bin/sh", "/bin/ash")},
	{name: "etc/services", mode: 0o644, data: lines(
		"ssh\t22/tcp", "domain\t53/tcp", "domain\t53/udp", "http\t80/tcp", "https\t443/tcp",
	)},
	{name: "etc/motd", mode: 0o644, data: "minictr's built-in base image: one static busybox and a skeleton.\n"},
}

// leftOut are applets that belong to a machine that boots, or to its hardware. In a container they can only mislead.
var leftOut = strings.Fields(`
	acpid adjtimex blkdiscard blockdev busybox chvt deallocvt depmod devmem dpkg dpkg-deb dumpkmap dumpleases fatattr
	fdisk findfs freeramdisk fsfreeze fstrim getty halt hwclock i2cdetect i2cdump i2cget i2cset i2ctransfer ifdown ifup
	init insmod klogd linuxrc loadfont loadkmap losetup lsmod lsscsi mdev microcom mim mkdosfs mke2fs mkswap modinfo
	modprobe mt nuke openvt partprobe poweroff rdate reboot resume rmmod rpm rpm2cpio run-init setkeycodes svc svok
	swapoff swapon tunctl ubirename udhcpc udhcpd uevent watchdog`)

// place gives the path of an applet. Scripts name some programs by full path (#!/usr/bin/env, /sbin/ip), so the common
// split is kept; anything else goes to /bin.
func place(applet string) string {
	for dir, names := range places {
		if slices.Contains(names, applet) {
			return dir + applet
		}
	}
	return "bin/" + applet
}

var places = map[string][]string{
	"sbin/": strings.Fields(`arp ifconfig ip ipaddr iplink ipneigh iproute iprule iptunnel logread nameif nologin
		pivot_root route start-stop-daemon sulogin switch_root sysctl syslogd tc vconfig`),
	"usr/sbin/": strings.Fields(`addgroup adduser arping brctl chpasswd chroot crond delgroup deluser httpd telnetd`),
	"usr/bin/": strings.Fields(`[ [[ ar ascii awk basename bc bunzip2 bzcat bzip2 cal clear cmp crc32 crontab cut dc diff
		dirname dos2unix du env expand expr factor fallocate find fold free ftpget ftpput groups head hexdump hostid id
		killall last less logger logname lzcat lzma md5sum mkfifo mkpasswd nc nl nproc nsenter nslookup od passwd paste
		patch printf realpath renice reset seq setsid sha1sum sha256sum sha3sum sha512sum shred shuf sort ssl_client
		strings tac tail taskset tee telnet test tftp time timeout top tr traceroute traceroute6 truncate ts tty unexpand
		uniq unix2dos unlink unlzma unshare unxz unzip uptime uudecode uuencode w wc wget which who whoami xargs xxd xz
		xzcat yes`),
}

// osRelease tells programs, and people who look, that this is not the Alpine whose name it may stand in for.
func osRelease(version string) string {
	return lines(
		`NAME="minictr base image"`,
		"ID=minictr-base",
		fmt.Sprintf("PRETTY_NAME=%q", "minictr base image ("+version+")"),
	)
}

func lines(text ...string) string {
	return strings.Join(text, "\n") + "\n"
}
