"""Random requests over several connections, compared with a model in memory.

  load.py URI [--ops N] [--connections N] [--seed N] [--max BYTES]
              [--no-trim | --any-trim] [--retry] [--sectors]
              [--model FILE] [--save FILE]

All connections work on the whole disk at once, but each on stretches of its
own, so that they meet in the same blocks of an image and never in the same
sector.  At the end the whole disk is read and compared.

--any-trim: of what is trimmed each byte may be zero or what it was, as the
protocol has it; without it whole sectors are zero and the rest is as it was.
--retry: what fails with EIO is tried again.
--sectors: offsets and lengths are multiples of 512.
--model: what the disk holds now is in FILE; without it the disk is read.
--save: write what the disk must hold at the end to FILE.
"""
# SPDX-License-Identifier: BSD-3-Clause
import argparse
import random
import threading

import nbd

SECTOR = 512
STRETCH = 40 * SECTOR       # no power of two: it straddles blocks


class Connection:
    """libnbd, but persistent if it is to be."""

    def __init__(self, args):
        self.retry = args.retry
        self.h = nbd.NBD()
        self.h.connect_uri(args.uri)

    def __getattr__(self, name):
        call = getattr(self.h, name)

        def persistent(*args):
            while True:
                try:
                    return call(*args)
                except nbd.Error as e:
                    if not self.retry or e.errno != 'EIO':
                        raise
        return persistent


class Worker(threading.Thread):
    def __init__(self, args, number, model):
        super().__init__()
        self.args, self.number, self.model = args, number, model
        self.random = random.Random(args.seed * 1000 + number)
        self.error = None
        self.h = Connection(args)
        self.size = self.h.get_size()

    def place(self):
        """A range within one of our stretches."""
        stretches = self.size // STRETCH + (self.size % STRETCH != 0)
        k = self.random.randrange(stretches)
        k -= (k - self.number) % self.args.connections
        if k < 0:
            return None
        start = k * STRETCH
        length = min(STRETCH, self.size - start)
        first = self.random.randrange(length)
        last = min(first + 1 + self.random.randrange(self.args.max), length)
        if self.args.sectors:
            first -= first % SECTOR
            last += -last % SECTOR
        return start + first, last - first

    def flags(self, *names):
        if self.random.randrange(20) == 0:
            names += ('FUA',)
        return sum({'FUA': nbd.CMD_FLAG_FUA,
                    'NO_HOLE': nbd.CMD_FLAG_NO_HOLE}[n] for n in names)

    def write(self, offset, length):
        data = self.random.randbytes(length)
        self.h.pwrite(data, offset, self.flags())
        self.model[offset:offset + length] = data

    def zero(self, offset, length):
        hole = self.random.choice(((), ('NO_HOLE',)))
        self.h.zero(length, offset, self.flags(*hole))
        self.model[offset:offset + length] = bytes(length)

    def trim(self, offset, length):
        self.h.trim(length, offset, self.flags())
        if self.args.any_trim:
            old = self.model[offset:offset + length]
            new = self.h.pread(length, offset)
            if any(b and a != b for a, b in zip(old, new)):
                raise ValueError('wrong data after trim at %d, length %d'
                                 % (offset, length))
            self.model[offset:offset + length] = new
            return
        first = offset + -offset % SECTOR
        last = (offset + length) // SECTOR * SECTOR
        if first < last:
            self.model[first:last] = bytes(last - first)

    def read(self, offset, length):
        found = self.h.pread(length, offset)
        if found != self.model[offset:offset + length]:
            raise ValueError('wrong data at %d, length %d'
                             % (offset, length))

    def run(self):
        kinds = [self.write] * 5 + [self.read] * 5
        if self.h.can_zero():
            kinds.append(self.zero)
        if self.h.can_trim() and not self.args.no_trim:
            kinds.append(self.trim)
        try:
            for _ in range(self.args.ops):
                at = self.place()
                if self.random.randrange(50) == 0:
                    self.h.flush()
                elif at is not None:
                    self.random.choice(kinds)(*at)
            self.h.flush()
            self.h.shutdown()
        except Exception as e:
            self.error = e


def read_all(args):
    h = Connection(args)
    size, step = h.get_size(), 4 << 20
    data = bytearray()
    for at in range(0, size, step):
        data += h.pread(min(step, size - at), at)
    h.shutdown()
    return data


def compare(found, expected):
    if found == expected:
        return
    bad = [s for s in range(0, len(expected), SECTOR)
           if found[s:s + SECTOR] != expected[s:s + SECTOR]]
    raise SystemExit('%d sectors are wrong, the first at offset %d'
                     % (len(bad), bad[0]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('uri')
    p.add_argument('--ops', type=int, default=1000)
    p.add_argument('--connections', type=int, default=1)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--max', type=int, default=16384)
    p.add_argument('--no-trim', action='store_true')
    p.add_argument('--any-trim', action='store_true')
    p.add_argument('--retry', action='store_true')
    p.add_argument('--sectors', action='store_true')
    p.add_argument('--model')
    p.add_argument('--save')
    args = p.parse_args()

    if args.model:
        with open(args.model, 'rb') as f:
            model = bytearray(f.read())
        compare(read_all(args), model)
    else:
        model = read_all(args)
    workers = [Worker(args, n, model) for n in range(args.connections)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    for w in workers:
        if w.error:
            raise SystemExit('connection %d: %s' % (w.number, w.error))
    compare(read_all(args), model)
    if args.save:
        with open(args.save, 'wb') as f:
            f.write(model)


main()
