#!/bin/bash -
# A file system that fills up in the middle of allocations: the client gets
# ENOSPC, what was acknowledged stays and can be flushed, what is trimmed makes
# room, and with space again the same writes succeed.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires_root

mount_tmpfs ()
{
    mount -t tmpfs -o size=12M vhdkit-test "$1"
}

# Allocates when it writes back: space must have been reserved before.
mount_ext4 ()
{
    truncate -s 14M ext4.img
    mkfs.ext4 -q -F -m 0 -b 4096 -O ^has_journal ext4.img || return
    mount -o loop ext4.img "$1"
}

# fill_up FOLDER IMAGE
fill_up ()
{
    local original=
    case $2 in
        child)
            child_image "$1/child.vhd" base.vhd
            original=$tmp/original.raw ;;
        dynamic)
            vhdkit create --block-size 512K "$1/dynamic.vhd" 48M ;;
        large)                          # a block of it is a large part
            vhdkit create "$1/large.vhd" 48M ;;
    esac
    fallocate -l 6M "$1/ballast"
    start_nbdkit server vhd file="$1/$2.vhd"
    python3 "$clients/full.py" "$(uri server)" "$1/ballast" model $original
    stop_nbdkit server
    serve -r vhd "$1/$2.vhd" --run 'nbdcopy "$uri" out.raw'
    cmp model out.raw || fail "$2 in $1: acknowledged data is lost"
    check_clean "$1/$2.vhd"
    rm out.raw model "$1/$2.vhd"
}

cd "$tmp"
base_image base.vhd 48M
serve -r vhd base.vhd --run "nbdcopy \"\$uri\" $tmp/original.raw"
tried=0
for fs in tmpfs ext4; do
    mkdir $fs
    mount_$fs $fs || { echo "no $fs here"; continue; }
    cleanup_fn umount "$tmp/$fs"
    for image in child dynamic large; do
        fill_up $fs $image
        tried=$((tried + 1))
    done
done
[ $tried -gt 0 ] || skip 'cannot mount a file system'
