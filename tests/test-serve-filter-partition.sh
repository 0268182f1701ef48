#!/bin/bash -
# The partition filter serves a partition of a chain whose partition table is
# in the parent.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires sfdisk --version

cd "$tmp"
truncate -s 24M disk.raw
printf 'label: dos\nstart=2048, size=16384\nstart=20480, size=8192\n' |
    sfdisk -q disk.raw
vhdkit create base.vhd 24M
nbdkit -U - vhd base.vhd --run 'nbdcopy disk.raw "$uri"'
child_image child.vhd base.vhd
start_nbdkit server --filter=partition vhd file=child.vhd partition=2
assert_equal "$(nbdinfo --size "$(uri server)")" $((8192 * 512))
load "$(uri server)" --ops 300 --save model
stop_nbdkit server
nbdkit -r -U - vhd child.vhd --run 'nbdcopy "$uri" out.raw'
cp disk.raw want.raw
dd if=model of=want.raw bs=512 seek=20480 conv=notrunc status=none
cmp want.raw out.raw || fail 'something outside of the partition changed'
check_clean child.vhd
