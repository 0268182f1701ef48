#!/bin/bash -
# A table full of wrong entries is told in a few lines, however many there are;
# a locator in the midst of the blocks keeps clients from writing over it.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires_plugin
requires qemu-io --version
cd "$tmp"

few_lines ()
{
    [ "$(wc -l <"$1")" -lt 40 ] || fail "$(wc -l <"$1") lines of messages"
}

# A million zeros: entries into the metadata.
vhdkit create zeros.vhd 2040G
dd if=/dev/zero of=zeros.vhd bs=512 seek=3 count=8160 conv=notrunc status=none
nbdkit -r -U - vhd zeros.vhd --run true 2>log
assert_grep '1044470 more entries' log
few_lines log
vhdkit map zeros.vhd >map 2>log
few_lines log
status=0
vhdkit check zeros.vhd >log 2>&1 || status=$?
assert_equal $status 2 "status of check"

# The same entry a million times.
vhdkit create same.vhd 2040G
size=$(stat -c %s same.vhd)
tail -c 512 same.vhd >footer
truncate -s $((size + 4194304)) same.vhd
dd if=/dev/zero of=same.vhd bs=1 seek=$((size - 512)) count=512 conv=notrunc \
   status=none
dd if=footer of=same.vhd bs=1 seek=$((size + 4194304 - 512)) conv=notrunc \
   status=none
printf '\000\000\040\000%.0s' {1..4096} >entries
for ((i = 0; i < 255; i++)); do cat entries; done |
    dd of=same.vhd bs=512 seek=3 conv=notrunc status=none
nbdkit -r -U - vhd same.vhd --run true 2>log
assert_grep 'more entries' log
few_lines log

# A locator that points into the data of a block.
vhdkit create base.vhd 8M
vhdkit create -B base.vhd child.vhd
nbdkit -U - vhd child.vhd --run \
    'qemu-io -f raw -c "write -P 1 0 8M" "$uri" >/dev/null'
python3 - <<'PYTHON'
import struct
with open('child.vhd', 'r+b') as f:
    f.seek(512)
    h = bytearray(f.read(1024))
    table = struct.unpack('>Q', h[16:24])[0]
    f.seek(table + 12)
    last = struct.unpack('>I', f.read(4))[0]
    h[0x240:0x258] = struct.pack('>4sIIIQ', b'W2ru', 4096, 20, 0,
                                 last * 512 + 512 + 4096)
    h[0x24:0x28] = bytes(4)
    h[0x24:0x28] = struct.pack('>I', ~sum(h) & 0xffffffff)
    f.seek(512)
    f.write(h)
PYTHON
status=0
vhdkit check child.vhd >log 2>&1 || status=$?
assert_equal $status 2 "status of check"
if nbdkit -U - vhd child.vhd --run \
          'qemu-io -f raw -c "write -P 2 0 512" "$uri" >/dev/null' 2>log; then
    fail "a client could write over a locator"
fi
assert_grep 'damaged entries' log
