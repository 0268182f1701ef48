#!/bin/bash -
# A Linux kernel as client, in a virtual machine: its own nbd driver over
# several connections, and qemu's with a virtio disk that discards.  A file
# system is made on a child, used, checked, and found again after the server
# was restarted; the parent's file stays as it is.
#
# NBD_GUEST names a program that runs a script as root in a guest:
#     $NBD_GUEST [--smp N] [--client URI] [--disk URI] -c SCRIPT
# with --client for the guest's kernel to attach ("nbd-attach DEVICE
# [OPTIONS]", "nbd-detach DEVICE") and --disk for the disk /dev/vda.
# Its exit status is that of the script, or 125 if there is no guest.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
[ -n "$NBD_GUEST" ] || skip 'NBD_GUEST is not set'
[ -x "$NBD_GUEST" ] || skip "$NBD_GUEST cannot be run"
"$NBD_GUEST" -c true >"$tmp/guest.log" 2>&1 || {
    cat "$tmp/guest.log"
    skip "$NBD_GUEST does not work here"
}

cd "$tmp"
base_image base.vhd 48M
sha256sum <base.vhd >base.sum

# What the guest does with its disk $d; "first" makes it, "again" finds it.
write_disk='
mkfs.ext4 -q "$d"
mount "$d" /mnt
head -c 16M /dev/urandom >/mnt/big
for i in $(seq 100); do echo "file $i" >/mnt/$i; done
rm /mnt/1*
(cd /mnt && md5sum *[0-9] big >/mnt/sums)
umount /mnt
e2fsck -fn "$d"
'
find_disk='
e2fsck -fn "$d"
mount "$d" /mnt
(cd /mnt && md5sum --quiet -c sums)
echo more >/mnt/more
umount /mnt
e2fsck -fn "$d"
'
no_errors='! dmesg | grep -iE "I/O error|EXT4-fs error"'

# guest NAME OPTIONS...: run it with a server of its own on NAME.vhd
guest ()
{
    local name=$1
    shift
    start_nbdkit "$name" vhd file="$name.vhd"
    timeout 400 "$NBD_GUEST" "$@" >guest.log 2>&1 ||
        { cat guest.log; fail "in the guest, with $name"; }
    stop_nbdkit "$name"
    check_clean "$name.vhd"
    sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
}

# The kernel's driver.
child_image kernel.vhd base.vhd
attach='set -e; d=/dev/nbd0; nbd-attach $d -C 4 -t 60;'
detach="$no_errors; nbd-detach \$d"
guest kernel --smp 4 --client "$(uri kernel)" \
    -c "$attach $write_disk $detach"
guest kernel --smp 4 --client "$(uri kernel)" \
    -c "$attach $find_disk $detach"

# virtio; a file system that discards, and all of the disk discarded.
child_image virtio.vhd base.vhd
setup='set -e; d=/dev/vda;'
guest virtio --disk "$(uri virtio)" -c "$setup $write_disk $no_errors"
guest virtio --disk "$(uri virtio)" \
    -c "$setup $find_disk
        mount -o discard \$d /mnt; rm /mnt/big; sync; fstrim /mnt; umount /mnt
        e2fsck -fn \$d; $no_errors"
guest virtio --disk "$(uri virtio)" \
    -c "$setup blkdiscard \$d; cmp -n $((48 << 20)) \$d /dev/zero; $no_errors"
