# vhdkit: random chains, read and written, against the reference reader
# SPDX-License-Identifier: BSD-3-Clause
"""test-chains.py DIRECTORY [SEED]"""

import hashlib
import os
import random
import sys

import nbd

import client
import recipes
import vhd

KiB, MiB = 1 << 10, 1 << 20
SIZE = 5 * MiB + 7 * 512
STYLES = ('win10', 'tap', 'vbox', 'dutl', 'vpc', 'win7')
WRITES = 150


def new_size(rng, size):
    """Layers are shorter or longer than their parents now and then."""
    change = rng.choice((0, 0, 0, 0, -1, 1)) * rng.randrange(1, 3000) * 512
    return max(64 * KiB, size + change)


def build(directory, seed, depth, block_sizes, base, resize):
    """Files of a random chain, the topmost first: depth children."""
    name = 'd%d-%s-%d' % (depth, base, seed)
    w = recipes.Work(directory, name, seed)
    rng = w.rng
    path = os.path.join(directory, name + '-base.vhd')
    if base == 'fixed':
        parent = w.fixed(path=path, size=SIZE)
    else:
        parent = w.dynamic(path, size=SIZE, block_size=rng.choice(block_sizes),
                           share=.7, style=rng.choice(STYLES))
    paths = [path]
    for n in range(depth):
        size = new_size(rng, parent.footer.size) if resize else None
        child = w.child_unsaved(
            parent, paths[0], size, style=rng.choice(STYLES),
            block_size=rng.choice(block_sizes),
            bitmap=rng.choice(('stale', 'exact')),
            share=min(.9, 2 / depth + rng.random() / 4))
        path = os.path.join(directory, '%s-%d.vhd' % (name, n))
        child.save(path)
        parent = child
        paths.insert(0, path)
    return paths


def wrong_sectors(found, expected, offset=0):
    wrong = [n for n in range(-(-len(expected) // 512))
             if found[n * 512:n * 512 + 512] !=
             expected[n * 512:n * 512 + 512]]
    return ['%d' % (offset // 512 + n) for n in wrong]


def check(condition, what):
    if not condition:
        print(what, flush=True)
        sys.exit(1)


def compare(found, expected, what):
    if found != expected:
        wrong = wrong_sectors(found, expected)
        check(False, '%s: %d wrong sectors: %s ...'
              % (what, len(wrong), ' '.join(wrong[:20])))


def read_all(h):
    return b''.join(bytes(h.pread(n, at))
                    for at, n in vhd.remaining(h.get_size()))


def check_extents(h, content, what):
    """What is said to be zero is; the extents cover the disk."""
    end = 0
    for offset, length, flags in client.extents(h):
        check(offset == end and length % 512 == 0 and length > 0,
              '%s: extent %d+%d after %d' % (what, offset, length, end))
        end = offset + length
        if flags & 2:
            check(not any(content[offset:end]),
                  '%s: data in the zero extent %d+%d' % (what, offset, length))
    check(end == len(content), '%s: extents end at %d' % (what, end))


def change(h, model, rng):
    """One random write, zero or trim, on the disk and on the model."""
    length = rng.choice((1, 17, 512, 1000, 4096, 33 * 512, 80000, 700000))
    length = min(length, len(model) // 2)
    offset = rng.randrange(len(model) - length)
    if rng.random() < .6:
        offset = offset // 512 * 512
    action = rng.random()
    if action < .8:
        data = rng.randbytes(length)
        h.pwrite(data, offset)
        model[offset:offset + length] = data
    elif action < .9:
        h.zero(length, offset)
        model[offset:offset + length] = bytes(length)
    else:
        h.trim(length, offset)
        # What a trim leaves may be the old bytes or zeros: ask.
        now = bytes(h.pread(length, offset))
        for n, (old, new) in enumerate(zip(model[offset:offset + length],
                                           now)):
            check(new in (old, 0), 'trim made other bytes at %d'
                  % (offset + n))
        model[offset:offset + length] = now
    if rng.random() < .05:
        h.flush()


def digests(paths):
    def digest(path):
        with open(path, 'rb') as f:
            return hashlib.sha256(f.read()).hexdigest()
    return {p: digest(p) for p in paths}


def check_chain(paths, rng, what):
    below = digests(paths[1:])
    with vhd.Chain(*paths) as chain:
        expected = chain.read(0, chain.size)
    with client.Server('file=' + paths[0], read_only=True) as s:
        h = s.connect()
        compare(read_all(h), expected, what)
        check_extents(h, expected, what)
        for _ in range(100):
            offset = rng.randrange(len(expected))
            n = rng.randrange(1, min(200000, len(expected) - offset + 1) + 1)
            n = min(n, len(expected) - offset)
            compare(bytes(h.pread(n, offset)), expected[offset:offset + n],
                    '%s: %d bytes at %d' % (what, n, offset))
        h.shutdown()
    model = bytearray(expected)
    with client.Server('file=' + paths[0]) as s:
        h = s.connect()
        for _ in range(WRITES):
            change(h, model, rng)
        compare(read_all(h), bytes(model), what + ', written')
        check_extents(h, model, what + ', written')
        h.shutdown()
    with vhd.Chain(*paths) as chain:
        compare(chain.read(0, chain.size), bytes(model),
                what + ', written, in the files')
    check(digests(paths[1:]) == below, what + ': a parent has changed')


def main():
    directory = os.path.abspath(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    os.makedirs(directory, exist_ok=True)
    usual = (512 * KiB, 2 * MiB)
    others = (4 * KiB, 64 * KiB, 512 * KiB, 1 * MiB, 2 * MiB, 4 * MiB)
    number = 0
    for depth in (1, 2, 8, 64):
        for base in ('fixed', 'dynamic'):
            for block_sizes, resize in ((usual, False), (others, True)):
                number += 1
                paths = build(directory, seed * 1000 + number, depth,
                              block_sizes, base, resize)
                what = 'depth %d over %s, seed %d, chain %d' % (
                    depth, base, seed, number)
                try:
                    check_chain(paths, random.Random(what), what)
                except (client.Failed, client.Refused, nbd.Error) as e:
                    check(False, '%s: %s: %s' % (what, type(e).__name__, e))
                for path in paths:
                    os.remove(path)
    print('%d chains' % number)


main()
