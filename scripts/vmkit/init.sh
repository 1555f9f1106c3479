#!/bin/busybox sh
# Process 1 of the test VM. The kernel starts it in the initramfs; it makes a usual Linux system of it, runs
# /vm/command, reports the exit code through a virtio port, and resets the machine, which ends qemu.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux MINICTR_VM=1

# The initramfs is the root of all mounts, and pivot_root refuses to move that one. A bind mount of it onto itself,
# moved to /, is an ordinary mount, without copying a byte.
if [ "$1" != again ]; then
	/bin/busybox mkdir -p /vm/root
	/bin/busybox mount --bind / /vm/root
	cd /vm/root
	/bin/busybox mount --move . /
	exec /bin/busybox chroot . /init again
fi
cd /
/bin/busybox --install -s

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -o remount,size=90% /
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t tmpfs -o nosuid,nodev tmpfs /tmp
mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf /sys/fs/bpf
# Nodes whose module loads when they are first opened.
mkdir -p /dev/net
mknod /dev/net/tun c 10 200
mknod /dev/fuse c 10 229
mknod /dev/loop-control c 10 237
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
# systemd makes every mount shared, so do we: code that forgets about propagation should be caught here.
mount --make-rshared /
hostname vm
ip link set lo up

# A machine that has run for a while has these. The kernel loads them on demand too, but an emulated processor is so slow
# at it that of many who ask at once some are told that there is no such thing.
modprobe -a overlay veth bridge nft_chain_nat nft_nat nft_masq nft_ct nft_fib_ipv4 || true

# Output must not share a channel with the kernel's messages: each stream has a virtio port of its own.
modprobe -a virtio_pci virtio_console
port() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		for name in /sys/class/virtio-ports/*/name; do
			if [ -e "$name" ] && [ "$(cat "$name")" = "$1" ]; then
				basename "$(dirname "$name")"
				return
			fi
		done
		usleep 100000
	done
	echo null
}

# In the foreground: a shell starts background commands with SIGINT ignored, and that is inherited. While it waits, this
# shell, the parent of all orphans, reaps them too.
if [ -n "$VM_INTERACTIVE" ]; then
	until [ -c /dev/hvc0 ]; do usleep 50000; done
	setsid -c /vm/command </dev/hvc0 >/dev/hvc0 2>&1
else
	/vm/command </dev/null >"/dev/$(port minictr.out)" 2>"/dev/$(port minictr.err)"
fi
echo "$?" >"/dev/$(port minictr.exit)"
reboot -f
