"""Kill the server under its clients, and again, and compare every byte.

  kill.py IMAGE [options] [-- NBDKIT ARGUMENTS...]

A server is started on the image, connections write, zero, trim, read and
flush, and after a moment the server is killed with SIGKILL, or every few
rounds ended with SIGTERM.  The next server is read from end to end: a sector
must hold what it held when a flush was sent that was answered, or what was
written later; after SIGTERM, what was answered.  "vhdkit check" must find no
error.  Every connection has stretches of its own, in the first half of the
disk short ones that meet in the same blocks, in the second half blocks.
"""
# SPDX-License-Identifier: BSD-3-Clause
import argparse
import atexit
import os
import random
import signal
import subprocess
import sys
import threading
import time

import nbd

SECTOR = 512
SHORT = 40 * SECTOR         # no power of two: it straddles blocks
STEP = 1 << 20

# Filters, and their parameters, that change what sizes the plugin sees.  They
# cut requests anywhere, inside of sectors too.
SIZES = [
    ([], []),
    ([], []),
    (['--filter=blocksize'], ['maxdata=4k', 'maxlen=64k']),
    (['--filter=blocksize'], ['maxdata=1536', 'maxlen=3M']),
    (['--filter=nozero'], ['zeromode=emulate']),
]


class Disk:
    """What each sector may hold: base, or one of those pending."""

    def __init__(self, size, original, torn):
        self.size = size
        self.torn = torn            # a kill may leave half a sector
        self.base = bytearray(size)
        if original:
            with open(original, 'rb') as f:
                data = f.read()
            self.base[:len(data)] = data[:size]
        self.pending = {}           # sector -> [(serial, bytes)]
        self.answered = {}          # sector -> serial, since the last flush
        self.lock = threading.Lock()        # guards all of it
        self.serial = 0

    def now_locked(self, s):
        p = self.pending.get(s)
        return p[-1][1] if p else \
            bytes(self.base[s * SECTOR:(s + 1) * SECTOR])

    def read(self, offset, length):
        with self.lock:
            return self.read_locked(offset, length)

    def read_locked(self, offset, length):
        first, last = offset // SECTOR, (offset + length - 1) // SECTOR
        data = b''.join(self.now_locked(s) for s in range(first, last + 1))
        skip = offset - first * SECTOR
        return data[skip:skip + length]

    def begin(self, offset, data):
        """A change is about to be sent; returns what to say when it was
        answered."""
        first, end = offset // SECTOR, -(-(offset + len(data)) // SECTOR)
        with self.lock:
            before = self.read_locked(first * SECTOR, offset % SECTOR)
            at = offset + len(data)
            behind = self.read_locked(at, end * SECTOR - at)
            whole = before + data + behind
            self.serial += 1
            for s in range(first, end):
                at = (s - first) * SECTOR
                self.pending.setdefault(s, []).append(
                    (self.serial, whole[at:at + SECTOR]))
            return range(first, end), self.serial

    def answer(self, change):
        sectors, serial = change
        with self.lock:
            for s in sectors:
                self.answered[s] = serial

    def flush_sent(self):
        with self.lock:
            answered, self.answered = self.answered, {}
        return answered

    def flush_answered(self, answered):
        with self.lock:
            for s, serial in answered.items():
                p = self.pending.get(s)
                while p and p[0][0] <= serial:
                    self.base[s * SECTOR:(s + 1) * SECTOR] = p.pop(0)[1]
                if not p:
                    self.pending.pop(s, None)

    def compare(self, h):
        """With what is there now, which from now on is what it holds."""
        for at in range(0, self.size, STEP):
            n = min(STEP, self.size - at)
            found = h.pread(n, at)
            if found != self.base[at:at + n]:
                self.compare_sectors(at, found)
        self.pending, self.answered = {}, {}

    def compare_sectors(self, at, found):
        for k in range(0, len(found), SECTOR):
            s, one = (at + k) // SECTOR, found[k:k + SECTOR]
            held = bytes(self.base[at + k:at + k + SECTOR])
            later = [b for _, b in self.pending.get(s, [])]
            if one != held and one not in later and not (
                    self.torn and all(b in bs for b, *bs in
                                      zip(one, held, *later))):
                raise SystemExit(
                    'sector %d holds %r..., flushed was %r..., and %d writes '
                    'came later' % (s, one[:16], held[:16], len(later)))
            self.base[at + k:at + k + SECTOR] = one


class Client(threading.Thread):
    def __init__(self, args, number, disk, uri, seed):
        super().__init__()
        self.args, self.number, self.disk = args, number, disk
        self.random = random.Random(seed)
        self.requests = 0
        self.error = None
        self.h = nbd.NBD()
        self.h.connect_uri(uri)

    def place(self):
        r, n = self.random, self.args.connections
        half = self.disk.size // 2 // SECTOR * SECTOR
        base, end, unit = 0, half, SHORT
        if r.randrange(4) == 0:
            base, end, unit = half, self.disk.size, self.args.unit
        turns = -(-(end - base) // unit)
        k = r.randrange(turns)
        k -= (k - self.number) % n
        if k < 0:
            return 0, 0
        start = base + k * unit
        length = min(unit, end - start)
        first = r.randrange(length)
        if unit != SHORT and r.randrange(3) == 0:
            return start, length
        return start + first, min(1 + r.randrange(self.args.max),
                                  length - first)

    def write(self, offset, length):
        data = self.random.randbytes(min(length, self.args.max))
        change = self.disk.begin(offset, data)
        fua = nbd.CMD_FLAG_FUA if self.random.randrange(50) == 0 else 0
        self.h.pwrite(data, offset, fua)
        if fua:
            self.disk.flush_answered({s: change[1] for s in change[0]})
        else:
            self.disk.answer(change)

    def zero(self, offset, length):
        change = self.disk.begin(offset, bytes(length))
        self.h.zero(length, offset, self.random.choice(
            (0, nbd.CMD_FLAG_NO_HOLE)))
        self.disk.answer(change)

    def trim(self, offset, length):
        first = -(-offset // SECTOR) * SECTOR
        last = (offset + length) // SECTOR * SECTOR
        if first < last:
            if self.args.sizes:     # cut in a sector, neither half is trimmed
                offset, length = first, last - first
            change = self.disk.begin(first, bytes(last - first))
            self.h.trim(length, offset)
            self.disk.answer(change)

    def read(self, offset, length):
        found = self.h.pread(length, offset)
        want = self.disk.read(offset, length)
        if found != want:
            k = next(k for k in range(length) if found[k] != want[k])
            raise ValueError('wrong data at %d, in a read of %d at %d: %r..., '
                             'not %r...' % (offset + k, length, offset,
                                            bytes(found[k:k + 8]),
                                            want[k:k + 8]))

    def flush(self):
        answered = self.disk.flush_sent()
        self.h.flush()
        self.disk.flush_answered(answered)

    def run(self):
        kinds = [self.write] * 6 + [self.read] * 4 + [self.zero, self.trim]
        try:
            while True:
                offset, length = self.place()
                if self.random.randrange(self.args.flush) == 0:
                    self.flush()
                elif length:
                    self.random.choice(kinds)(offset, length)
                self.requests += 1
        except nbd.Error as e:
            # The server is gone, as was to be expected; an answer is not.
            if e.errno in ('EIO', 'ENOSPC', 'EINVAL', 'EPERM'):
                self.error = e
        except Exception as e:
            self.error = e
        self.h = None               # a server that ends waits for that


class Server:
    def __init__(self, args, filters=(), parameters=()):
        self.socket = args.image + '.sock'
        pid = args.image + '.pid'
        for f in (self.socket, pid):
            if os.path.exists(f):
                os.unlink(f)
        self.process = subprocess.Popen(
            ['nbdkit', '-f', '-U', self.socket, '-P', pid, *filters, 'vhd',
             'file=' + args.image, *args.arguments, *parameters],
            stdin=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        while not os.path.exists(pid) or os.path.getsize(pid) == 0:
            if self.process.poll() is not None:
                raise SystemExit('nbdkit did not start')
            time.sleep(0.002)

    def uri(self):
        return 'nbd+unix:///?socket=' + self.socket

    def end(self, how):
        self.process.send_signal(how)
        status = self.process.wait(60)
        if how == signal.SIGTERM and status != 0:
            raise SystemExit('nbdkit ended with status %d' % status)
        atexit.unregister(self.process.kill)


def compare(disk, uri):
    h = nbd.NBD()
    h.connect_uri(uri)
    disk.compare(h)
    h.shutdown()


def check(image):
    """Blocks that no entry leads to yet are lost space: 3."""
    r = subprocess.run(['vhdkit', 'check', image], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if r.returncode not in (0, 3):
        raise SystemExit('check says %d:\n%s' % (r.returncode, r.stdout))


def play(args, disk, rnd):
    """One server; returns how many requests it answered."""
    server = Server(args, *rnd.choice(args.filters))
    compare(disk, server.uri())
    clients = [Client(args, n, disk, server.uri(), rnd.getrandbits(64))
               for n in range(args.connections)]
    for c in clients:
        c.start()
    time.sleep(rnd.uniform(args.life / 4, args.life))
    how = signal.SIGTERM if rnd.randrange(args.term) == 0 else signal.SIGKILL
    server.end(how)
    for c in clients:
        c.join()
        if c.error:
            raise SystemExit('connection %d: %s' % (c.number, c.error))
    if how == signal.SIGTERM:
        disk.flush_answered(disk.flush_sent())
    return sum(c.requests for c in clients)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('image')
    p.add_argument('--original', help='what the disk holds at first')
    p.add_argument('--connections', type=int, default=3)
    p.add_argument('--rounds', type=int, default=0)
    p.add_argument('--seconds', type=float, default=0)
    p.add_argument('--life', type=float, default=0.2,
                   help='of a server, at most, in seconds')
    p.add_argument('--term', type=int, default=10,
                   help='one server in so many is ended with SIGTERM')
    p.add_argument('--flush', type=int, default=20,
                   help='one request in so many')
    p.add_argument('--max', type=int, default=20000, help='bytes of a write')
    p.add_argument('--unit', type=int, default=1 << 20,
                   help='bytes of a long stretch')
    p.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    p.add_argument('--sizes', action='store_true',
                   help='filters that change the sizes of requests')
    args, args.arguments = parse(p)
    args.filters = SIZES if args.sizes else [([], [])]
    rnd = random.Random(args.seed)
    # So that no server stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))
    print('%s: seed %d' % (args.image, args.seed), flush=True)

    server = Server(args)
    h = nbd.NBD()
    h.connect_uri(server.uri())
    disk = Disk(h.get_size(), args.original, args.sizes)
    h.shutdown()
    server.end(signal.SIGTERM)
    rounds = requests = 0
    end = time.monotonic() + args.seconds
    while rounds < args.rounds or time.monotonic() < end:
        requests += play(args, disk, rnd)
        check(args.image)
        rounds += 1
    server = Server(args)
    compare(disk, server.uri())
    server.end(signal.SIGTERM)
    check(args.image)
    print('%d rounds, %d requests' % (rounds, requests))


def parse(p):
    argv = sys.argv[1:]
    at = argv.index('--') if '--' in argv else len(argv)
    return p.parse_args(argv[:at]), argv[at + 1:]


main()
