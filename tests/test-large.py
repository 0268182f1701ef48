# vhdkit: the largest images, and the deepest chain of them: opened, mapped,
# read, in little time and memory
# SPDX-License-Identifier: BSD-3-Clause
"""test-large.py DIRECTORY.  Times are reported, not judged: machines differ
and are busy."""

import json
import os
import random
import struct
import sys
import time

import client
import vhd

MiB = 1 << 20
SIZE = 2040 << 30
BLOCK = 2 * MiB
MAX_RSS = 64 * MiB              # the table takes 4 MiB, its sorting 8 more
DEPTH = 64
MAX_CHAIN_RSS = 400 * MiB       # 64 tables of 4 MiB, and what is cached
directory = sys.argv[1]


def check(condition, what):
    if not condition:
        sys.exit(what)


def scattered(path, number=10000):
    """Blocks anywhere on the disk, in any order in the file."""
    rng = random.Random(1)
    image = vhd.new(vhd.DYNAMIC, SIZE, 'win10', id=rng.randbytes(16))
    numbers = sorted({0, SIZE // BLOCK - 1} |
                     set(rng.sample(range(1, SIZE // BLOCK - 1), number - 2)))
    for n in numbers:
        image.blocks[n] = vhd.Block(n.to_bytes(8, 'big') * 64)
    image.order = rng.sample(numbers, number)
    image.save(path)
    return numbers


def full(path):
    """Every entry of the table is in use; the bitmaps are holes, so all
    sectors read as zeros but those of the last block."""
    image = vhd.new(vhd.DYNAMIC, SIZE, 'win10', id=b'\4' * 16)
    image.save(path)
    entries = SIZE // BLOCK
    first = os.path.getsize(path) // 512 - 1
    stride = (BLOCK + 4096) // 512
    table = [first + n * stride for n in range(entries)]
    end = table[-1] * 512 + 4096 + BLOCK
    os.truncate(path, end)
    vhd.patch(path, image.header.table_offset,
              struct.pack('>%dI' % entries, *table))
    vhd.patch(path, table[-1] * 512, b'\xff' * 512 + b'last' * 128)
    vhd.patch(path, end, image.footer.pack())


def tool(*command):
    a = client.Answer('vhdkit', *command, timeout=120, expect=(0,))
    print('vhdkit %s: %.2f s' % (' '.join(command[:-1]), a.seconds))
    return a


def serve(path, expected, max_rss=MAX_RSS):
    """Open, and read what expected (offset, bytes) says."""
    begin = time.monotonic()
    with client.Server('file=' + path, read_only=True) as s:
        h = s.connect()
        print('serving after %.2f s' % (time.monotonic() - begin))
        check(h.get_size() == SIZE, 'size %d' % h.get_size())
        for offset, data in expected:
            found = bytes(h.pread(len(data) if data else 512, offset))
            check(data is None or found == data, 'other bytes at %d' % offset)
        extents = list(client.extents(h, SIZE - 3 * BLOCK, 3 * BLOCK))
        check(sum(e[1] for e in extents) == 3 * BLOCK, 'extents')
        h.shutdown()
    print('nbdkit took %d MiB' % (s.max_rss >> 20))
    check(client.SANITIZED or s.max_rss < max_rss, 'too much memory')


def mapped(path, numbers):
    """The map says where each block is."""
    covered, data = 0, set()
    for e in json.loads(tool('map', '--json', path).out):
        check(e['start'] == covered, 'the map has a gap at %d' % covered)
        covered += e['length']
        if e['data']:
            # Only the start of each block is more than a hole in the file.
            data.update(range(e['start'] // BLOCK, -(-covered // BLOCK)))
    check(covered == SIZE, 'the map ends at %d' % covered)
    check(data == set(numbers), 'the map has %d blocks with data, not %d'
          % (len(data), len(numbers)))


def deep_chain():
    """As many layers as are allowed; what was written to some of them, as
    (offset, bytes)."""
    names = [os.path.join(directory, 'layer-%d.vhd' % n) for n in range(DEPTH)]
    expected = []
    for n, name in enumerate(names):
        parent = ['--parent', names[n - 1], name] if n else [name, '2040G']
        client.Answer('vhdkit', 'create', *parent, timeout=60, expect=(0,))
        if n % 21:
            continue
        with client.Server('file=' + name) as s:
            h = s.connect()
            data, own = (b'layer %d ' % n).ljust(16) * 256, n * (SIZE // DEPTH)
            h.pwrite(data, own)
            h.pwrite(data, SIZE - 4096)
            h.shutdown()
        expected.append((own, data))
    return names[-1], expected + [(SIZE - 4096, data),
                                  (SIZE // 2 + 1, bytes(9))]


def main():
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, 'large.vhd')

    print('-- 10,000 scattered blocks')
    numbers = scattered(path)
    tool('info', path)
    mapped(path, numbers)
    tool('check', path)
    serve(path, [(n * BLOCK, n.to_bytes(8, 'big') * 64 + bytes(512))
                 for n in numbers[:20] + numbers[-20:]] +
          [(SIZE - 512, bytes(512))])

    print('-- every block allocated')
    try:
        full(path)
    except OSError as e:
        print('no file that large here: %s' % e)
        return
    tool('info', path)
    tool('check', path)
    serve(path, [(SIZE - BLOCK, b'last' * 128 + bytes(512)),
                 (SIZE // 2, bytes(4096)), (SIZE - 512, bytes(512))])
    with client.Server('file=' + path) as s:
        h = s.connect()
        h.pwrite(b'new' * 1000, SIZE // 2 + 77)
        h.flush()
        check(bytes(h.pread(3002, SIZE // 2 + 76)) ==
              b'\0' + b'new' * 1000 + b'\0', 'what was written is not there')
        h.shutdown()
    with vhd.Layer(path) as layer:
        buf = bytearray(3000)
        layer.overlay(buf, SIZE // 2 + 77)
        check(bytes(buf) == b'new' * 1000, 'it is not in the file')

    print('-- %d layers' % DEPTH)
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    client.MAX_RSS = MAX_CHAIN_RSS
    # Which would write to memory that is asked for and never used.
    os.environ['MALLOC_PERTURB_'] = '0'
    path, expected = deep_chain()
    # Everywhere, so that whatever is kept of the parents is.
    expected += [(n * (SIZE // 9973), None) for n in range(9973)]
    serve(path, expected, MAX_CHAIN_RSS)


main()
