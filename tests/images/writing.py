# vhdkit: write to an image at random, and look at what became of the file
# SPDX-License-Identifier: BSD-3-Clause

import vhd
from vhd import SECTOR

LENGTHS = (1, 511, 512, 4096, 5000, 65536, 300000)


def random_writes(h, rng, number):
    """Returns (offset, bytes) in the order written; some lie across blocks,
    some are parts of sectors, some are at the end."""
    size = h.get_size()
    done = []
    for n in range(number):
        length = min(rng.choice(LENGTHS), size)
        offset = rng.randrange(size - length + 1)
        if n % 5 == 0:
            offset = min(offset // (2 << 20) * (2 << 20), size - length)
        elif n % 7 == 1:
            offset = size - length
        data = rng.randbytes(length)
        h.pwrite(data, offset)
        done.append((offset, data))
    return done


def expected(chain, writes, offset, length):
    """What a disk that was chain holds after the writes."""
    buf = bytearray(chain.read(offset, length))
    for at, data in writes:
        a, b = max(at, offset), min(at + len(data), offset + length)
        if a < b:
            buf[a - offset:b - offset] = data[a - at:b - at]
    return bytes(buf)


def difference(read, before, writes, rng):
    """Compare what read (offset, length) gives with the disk before and the
    writes since: all of it, or around them.  Returns what is wrong, or None.
    """
    size = before.size
    places = [(0, size)]
    if size > 64 << 20:
        places = [(max(0, at - 700), len(data) + 1400) for at, data in writes]
        places += [(rng.randrange(size), 65536) for _ in range(20)]
    for offset, length in places:
        length = min(length, size - offset)
        found = read(offset, length)
        if found == expected(before, writes, offset, length):
            continue
        wanted = expected(before, writes, offset, length)
        wrong = [n for n in range(-(-length // SECTOR))
                 if found[n * SECTOR:(n + 1) * SECTOR] !=
                 wanted[n * SECTOR:(n + 1) * SECTOR]]
        return '%d wrong sectors from %d on' % (
            len(wrong), offset // SECTOR + wrong[0])
    return None


def identity(path, payloads=True):
    """What writing must leave alone: the footer, the header, and where the
    parent is said to be (unless that lies where it should not)."""
    with vhd.Layer(path) as layer:
        kept = [vhd.replace(layer.footer, checksum=0)]
        if layer.header:
            kept.append(layer.header)
        if layer.footer.kind == vhd.DIFFERENCING and payloads:
            kept += [layer.locator(n) for n in range(8)]
        return kept


def false_batmap(path):
    """If there is a batmap that XenServer believes, is a block said to be
    full that is not?  Returns the first, or None."""
    with vhd.Layer(path) as layer:
        for number in layer.batmap():
            if number >= len(layer.table) or \
               layer.table[number] == vhd.UNUSED:
                return number
            size = vhd.bitmap_bytes(layer.header.block_size)
            if layer.at(layer.table[number] * SECTOR, size) != b'\xff' * size:
                return number
    return None
