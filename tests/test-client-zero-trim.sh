#!/bin/bash -
# Zero and trim from a client: what they must make zero is zero, the rest is as
# it was, and a trim of whole blocks gives space back to the host.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd
cp base.vhd dynamic.vhd
child_image child.vhd base.vhd

cat >script.py <<'END'
import sys
MiB = 1 << 20
model = h.pread(24 * MiB, 0)
def check(at, n, zero_from, zero_to):
    """[at, at + n) was asked for."""
    lo, hi = max(0, at - 4096), at + n + 4096
    new = h.pread(hi - lo, lo)
    model[zero_from:zero_to] = bytes(zero_to - zero_from)
    assert new == model[lo:hi], (at, n)
for at, n in ((512, 512), (3000, 100), (3 * MiB - 7, 20), (5 * MiB, 2 * MiB)):
    h.zero(n, at)
    check(at, n, at, at + n)
h.zero(1000, 8 * MiB + 1, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
check(8 * MiB + 1, 1000, 8 * MiB + 1, 8 * MiB + 1001)
for at, n in ((9 * MiB + 5, 2000), (10 * MiB, 2 * MiB), (13 * MiB - 3, 5)):
    h.trim(n, at)
    first = -(-at // 512) * 512
    check(at, n, first, max(first, (at + n) // 512 * 512))
# Fast zero: done, or refused with nothing changed.
try:
    h.zero(2 * MiB, 16 * MiB, nbd.CMD_FLAG_FAST_ZERO)
    check(16 * MiB, 2 * MiB, 16 * MiB, 18 * MiB)
except nbd.Error as e:
    assert e.errno in ('EOPNOTSUPP', 'ENOTSUP'), e.errno
    check(16 * MiB, 2 * MiB, 16 * MiB, 16 * MiB)
# A zeroed sector can be written again.
h.pwrite(b'new' * 300, 5 * MiB + 100)
assert h.pread(902, 5 * MiB + 99) == b'\0' + b'new' * 300 + b'\0'
h.flush()
END
for image in dynamic child; do
    serve vhd $image.vhd --run 'nbdsh -u "$uri" -c - <script.py'
    check_clean $image.vhd
done

# All of it: the file shrinks to next to nothing, on a file system that can.
touch probe && fallocate -l 1M probe && fallocate -p -o 0 -l 1M probe ||
    skip 'no holes here'
before=$(stat -c %b dynamic.vhd)
serve vhd dynamic.vhd --run 'nbdsh -u "$uri" -c "
h.trim(h.get_size(), 0)
h.flush()
assert h.pread(1 << 20, 4 << 20) == bytes(1 << 20)"'
after=$(stat -c %b dynamic.vhd)
[ "$after" -lt $((before / 10)) ] ||
    fail "trim gave little back: $before blocks before, $after after"
check_clean dynamic.vhd
assert_equal "$(sha256_of_image dynamic.vhd)" \
    "$(head -c 24M /dev/zero | sha256sum | cut -d' ' -f1)"
