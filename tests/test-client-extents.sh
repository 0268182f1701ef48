#!/bin/bash -
# Extents are exact to the sector through the whole chain, also when a client
# asks for one at a time.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
vhdkit create base.vhd 24M
serve vhd base.vhd --run "nbdsh -u \"\$uri\" -c '
h.pwrite(b\"b\" * (2 << 20), 4 << 20)'"
child_image child.vhd base.vhd

cat >script.py <<'END'
MiB = 1 << 20
h.pwrite(b'c' * 512, 1 * MiB)               # over nothing
h.pwrite(b'c' * 100, 5 * MiB + 700)         # over the parent's data
h.zero(4096, 5 * MiB + 65536)               # hides the parent's data
h.flush()
def extents(start, count, flags=0):
    found = []
    def add(context, offset, entries, error):
        at = offset
        for length, kind in zip(entries[::2], entries[1::2]):
            if found and found[-1][2] == kind:
                found[-1] = (found[-1][0], found[-1][1] + length, kind)
            else:
                found.append((at, length, kind))
            at += length
    h.block_status(count, start, add, flags)
    return found
data = [(1 * MiB, 1 * MiB + 512), (4 * MiB, 5 * MiB + 65536),
        (5 * MiB + 65536 + 4096, 6 * MiB)]
def kinds(at):
    return not any(a <= at < b for a, b in data)
whole = extents(0, h.get_size())
assert sum(e[1] for e in whole) == h.get_size()
for start, length, kind in whole:
    # What the base's one block has beyond what was written may be told either
    # way: its bitmap says "present" for all of it.
    for s in range(start, start + length, 512):
        if kind & 2:
            assert kinds(s), ('data is said to be zero', s)
            assert h.pread(512, s) == bytes(512)
assert (whole[0][2], whole[0][1]) == (3, 1 * MiB), whole[0]
assert whole[1][:2] == (1 * MiB, 512) and whole[1][2] == 0, whole[1]
at = 0
one_by_one = []
while at < h.get_size():
    e = extents(at, h.get_size() - at, nbd.CMD_FLAG_REQ_ONE)
    assert len(e) == 1 and e[0][0] == at
    one_by_one += e
    at += e[0][1]
assert one_by_one == whole, (one_by_one, whole)
# Not aligned to anything.
e = extents(1 * MiB + 3, 1000)
assert (e[0], e[1][2]) == ((1 * MiB + 3, 509, 0), 3), e
END
serve vhd child.vhd \
    --run 'nbdsh --base-allocation -u "$uri" -c - <script.py'

# Every second sector: more extents than fit in one answer.
child_image comb.vhd base.vhd
serve vhd comb.vhd --run "nbdsh -u \"\$uri\" -c '
for s in range(0, 4000, 2):
    h.pwrite(b\"x\" * 512, (8 << 20) + s * 512)'"
serve -r vhd comb.vhd --run 'nbdinfo --map --totals "$uri"' >totals
assert_grep '^ *3121152 .*data' totals
