#!/bin/bash -
# fio's nbd engine, deep queue, mixed sizes, verifying what it wrote.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires sh -c 'fio --enghelp | grep -qw nbd'

cd "$tmp"
base_image base.vhd 32M
sha256sum <base.vhd >base.sum
child_image child.vhd base.vhd
vhdkit create --block-size 512K dynamic.vhd 32M

for image in child dynamic; do
    start_nbdkit server vhd file=$image.vhd
    fio --name=$image --ioengine=nbd --uri="$(uri server)" --size=32M \
        --rw=randrw --bsrange=512-64k --bs_unaligned --iodepth=16 \
        --io_size=48M --fsync=200 --randseed=1 \
        --verify=crc32c --verify_fatal=1 --do_verify=1 --norandommap=0 \
        >fio.log 2>&1 || fail "fio on $image"
    stop_nbdkit server
    check_clean $image.vhd
done
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
