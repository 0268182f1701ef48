"""Fill the file system under an image, make room, and go on.

  full.py URI BALLAST MODEL [ORIGINAL]

Writes all over the disk until the server says ENOSPC, several times, and
flushes; then trims a part of the disk, which must make room; then removes
BALLAST, does what failed again, and compares.  What the disk must hold is left
in MODEL.  ORIGINAL is what it held at first (else zeroes).
"""
# SPDX-License-Identifier: BSD-3-Clause
import os
import random
import sys

import nbd

uri, ballast, model_file = sys.argv[1:4]
rnd = random.Random(1)
h = nbd.NBD()
h.connect_uri(uri)
size = h.get_size()
if len(sys.argv) > 4:
    with open(sys.argv[4], 'rb') as f:
        model = bytearray(f.read())
else:
    model = bytearray(size)
failed = []


def write(offset, data):
    """False if there is no space."""
    try:
        h.pwrite(data, offset)
    except nbd.Error as e:
        if e.errno != 'ENOSPC':
            raise
        return False
    model[offset:offset + len(data)] = data
    return True


def partly(offset, data):
    """A write that failed may be there in part, block by block; all around it
    is left alone."""
    lo, hi = max(0, offset - 65536), min(size, offset + len(data) + 65536)
    found = h.pread(hi - lo, lo)
    a, b = offset - lo, offset - lo + len(data)
    assert found[:a] == model[lo:offset], 'before a failed write'
    assert found[b:] == model[lo + b:hi], 'after a failed write'
    for i in range(len(data)):
        if found[a + i] not in (data[i], model[offset + i]):
            raise SystemExit('a failed write left something else at %d'
                             % (offset + i))
    model[lo:hi] = found


for attempt in range(3000):
    offset = rnd.randrange(size - 70000)
    data = rnd.randbytes(rnd.choice((512, 4096, 5000, 65536)))
    if not write(offset, data):
        failed.append((offset, data))
        partly(offset, data)
        if len(failed) >= 40:
            break
else:
    raise SystemExit('the file system did not fill up')
try:
    h.flush()
except nbd.Error as e:
    # Metadata needs no new space, so this should not happen.
    raise SystemExit('flush on a full file system: %s' % e)

for at in range(0, size // 4, 1 << 20):
    h.trim(1 << 20, at)
    model[at:at + (1 << 20)] = bytes(1 << 20)
h.flush()
if not write(*failed.pop()):
    raise SystemExit('no space although much of the disk was trimmed')
h.flush()

os.unlink(ballast)
for offset, data in failed:
    if not write(offset, data):
        raise SystemExit('no space although there is')
h.flush()
for at in range(0, size, 1 << 20):
    assert h.pread(1 << 20, at) == model[at:at + (1 << 20)], at
with open(model_file, 'wb') as f:
    f.write(model)
