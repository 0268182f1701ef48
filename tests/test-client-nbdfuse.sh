#!/bin/bash -
# nbdfuse and, over it, a loop device with a file system: the host's kernel as
# client.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_root
requires nbdfuse --version
requires fusermount3 --version
requires mkfs.ext4 -V
requires_file /dev/fuse
requires losetup --find

cd "$tmp"
vhdkit create base.vhd 40M
child_image child.vhd base.vhd
sha256sum <base.vhd >base.sum
mkdir fuse mnt

attach ()
{
    start_nbdkit server vhd file=child.vhd
    nbdfuse fuse --unix "$tmp/server.sock" &
    fuse=$!
    cleanup_fn fusermount3 -u "$tmp/fuse"
    wait_for test -e fuse/nbd
    loop=$(losetup --find --show fuse/nbd) || skip 'no loop device is free'
    cleanup_fn losetup -d "$loop"
}
detach ()
{
    losetup -d "$loop"
    wait_for fusermount3 -u fuse
    wait $fuse || :
    stop_nbdkit server
    cleanup_commands=()
}

attach
mkfs.ext4 -q "$loop"
mount "$loop" mnt || skip 'cannot mount here'
cleanup_fn umount "$tmp/mnt"
random_file mnt/file 9M
sha256sum <mnt/file >file.sum
umount mnt
detach
check_clean child.vhd

attach
e2fsck -fn "$loop" >fsck.log 2>&1 || { cat fsck.log; fail 'e2fsck'; }
mount "$loop" mnt
cleanup_fn umount "$tmp/mnt"
sha256sum <mnt/file | cmp - file.sum || fail 'the file has other content'
umount mnt
detach
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
