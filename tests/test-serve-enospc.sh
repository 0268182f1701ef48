#!/bin/bash -
# A file system that fills up in the middle of allocations: the client gets
# ENOSPC, what was acknowledged stays, and with space again the same writes
# succeed.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires_root

cd "$tmp"
mkdir small
mount -t tmpfs -o size=12M vhdkit-test small || skip 'cannot mount a tmpfs'
cleanup_fn umount "$tmp/small"
base_image base.vhd 48M

for image in child dynamic; do
    rm -f small/*
    if [ $image = child ]; then
        child_image small/child.vhd base.vhd
        original=$tmp/original.raw
        serve -r vhd base.vhd --run "nbdcopy \"\$uri\" $original"
    else
        vhdkit create --block-size 512K small/dynamic.vhd 48M
        original=
    fi
    fallocate -l 6M small/ballast
    start_nbdkit server vhd file=small/$image.vhd
    python3 "$clients/full.py" "$(uri server)" small/ballast model $original
    stop_nbdkit server
    serve -r vhd small/$image.vhd --run 'nbdcopy "$uri" out.raw'
    cmp model out.raw || fail "$image: acknowledged data is lost"
    check_clean small/$image.vhd
    rm out.raw model
done
