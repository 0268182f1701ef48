#!/bin/bash -
# The partition filter serves a partition of a chain whose partition table is
# in the parent.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
truncate -s 24M disk.raw
python3 - <<'END'
import struct
with open('disk.raw', 'r+b') as f:
    f.seek(446)
    for start, size in ((2048, 16384), (20480, 8192)):
        f.write(struct.pack('<8BII', 0, 0, 0, 0, 0x83, 0, 0, 0, start, size))
    f.seek(510)
    f.write(b'\x55\xaa')
END
vhdkit create base.vhd 24M
serve vhd base.vhd --run 'nbdcopy disk.raw "$uri"'
child_image child.vhd base.vhd
start_nbdkit server --filter=partition vhd file=child.vhd partition=2
assert_equal "$(nbdinfo --size "$(uri server)")" $((8192 * 512))
load "$(uri server)" --ops 300 --save model
stop_nbdkit server
serve -r vhd child.vhd --run 'nbdcopy "$uri" out.raw'
cp disk.raw want.raw
dd if=model of=want.raw bs=512 seek=20480 conv=notrunc status=none
cmp want.raw out.raw || fail 'something outside of the partition changed'
check_clean child.vhd
