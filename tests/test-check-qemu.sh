#!/bin/bash -
# vhdkit check recognises what qemu leaves when it writes to images that it
# does not understand.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires qemu-io --version
requires_plugin

cd "$tmp"

# A parent full of data.
vhdkit create base.vhd 8M
nbdkit -U - vhd base.vhd --run \
    'qemu-io -f raw -c "write -P 0x55 0 8M" "$uri"' >qemu.log
vhdkit create --parent base.vhd child.vhd
vhdkit check child.vhd

# Our own writes are no cause for suspicion: scattered, and a whole block.
cp child.vhd ours.vhd
nbdkit -U - vhd ours.vhd --run \
    'qemu-io -f raw -c "write -P 1 1M 64k" -c "write -P 2 2M 2M" "$uri"' \
    >qemu.log
vhdkit check ours.vhd >out
assert_grep '^0 errors, 0 leaks, 0 warnings, 0 notes' out

# qemu writes 64 KiB and hides the rest of the block.
qemu-io -f vpc -c 'write -P 1 1M 64k' child.vhd >qemu.log
vhdkit check child.vhd >out
assert_grep '^WARNING child.vhd: sector bitmap of block 0 .*qemu' out

# It puts its block over the old footer, which its guest then sees.
vhdkit create dynamic.vhd 8M
qemu-io -f vpc -c 'write -P 1 5M 64k' dynamic.vhd >qemu.log
vhdkit check dynamic.vhd >out
assert_grep '^0 errors, 0 leaks, 0 warnings' out
vhdkit check --data dynamic.vhd >out
assert_grep '^WARNING dynamic.vhd: data of block 2, sector .*old footer' out
