"""Writes whose survival can be judged after the server was killed.

  stamp.py write URI JOURNAL ROUND   write until the server goes away
  stamp.py verify URI JOURNAL [FILE] compare the disk with the journal; FILE
                                     is what it held at first (else zeroes)

Each write fills sectors with the number of the write; some are zeroes instead,
or a trim.  The journal has a line before each is sent ("w NUMBER SECTOR COUNT
KIND"), after its answer ("d NUMBER FUA"), before and after each flush ("f",
"F"), and when a new server was started ("r").  A sector must hold the last
write that was answered before a flush was sent that was answered, or a later
one that was sent; so the journal itself need not survive anything but the
server's end.
"""
# SPDX-License-Identifier: BSD-3-Clause
import random
import struct
import sys

import nbd

SECTOR = 512
MAX_SECTORS = 64
MAX_FREED = 8192            # of zeroes and trims: whole blocks are freed
ORIGINAL = 0                # no write has this number


def request(h, rnd, number, first, count, kind):
    flags = nbd.CMD_FLAG_FUA if rnd.randrange(50) == 0 else 0
    offset, length = first * SECTOR, count * SECTOR
    if kind == 'write':
        h.pwrite(content(number) * count, offset, flags)
    elif kind == 'zero':
        h.zero(length, offset, flags)
    else:
        h.trim(length, offset, flags)
    return flags


def content(number):
    return struct.pack('>QQ', 0x7374616d70, number) * (SECTOR // 16)


def write(uri, journal, round_number):
    h = nbd.NBD()
    try:
        h.connect_uri(uri)
    except nbd.Error:
        return                  # killed before we came
    rnd = random.Random(round_number)
    sectors = h.get_size() // SECTOR
    number = round_number << 32
    with open(journal, 'a', buffering=1) as j:
        print('r', file=j)
        try:
            while True:
                number += 1
                kind = rnd.choice(['write'] * 8 + ['zero', 'trim'])
                most = MAX_SECTORS
                if kind != 'write' and rnd.randrange(4) == 0:
                    most = MAX_FREED
                first = rnd.randrange(sectors)
                count = min(1 + rnd.randrange(most), sectors - first)
                print('w', number, first, count, kind, file=j)
                flags = request(h, rnd, number, first, count, kind)
                print('d', number, flags, file=j)
                if rnd.randrange(30) == 0:
                    print('f', file=j)
                    h.flush()
                    print('F', file=j)
        except nbd.Error:
            pass                # the server is gone, as was to be expected


class Judge:
    """Per sector: the numbers that it may hold."""

    def __init__(self, sectors):
        self.allowed = [[ORIGINAL] for _ in range(sectors)]
        self.writes = {}
        self.zeroes = set()     # the numbers of those that write zeroes
        self.answered = {}      # sector -> last answered write
        self.at_flush = {}

    def settle(self, sector, number):
        """The write of this number is durable: what went before is not
        allowed any more."""
        may = self.allowed[sector]
        if number in may:
            self.allowed[sector] = may[may.index(number):]

    def line(self, words):
        if words[0] == 'r':
            self.answered = {}  # what the last server had not flushed is gone
        elif words[0] == 'w':
            number, first, count = map(int, words[1:4])
            if words[4] != 'write':
                self.zeroes.add(number)
            self.writes[number] = range(first, first + count)
            for s in self.writes[number]:
                self.allowed[s].append(number)
        elif words[0] == 'd':
            number, fua = map(int, words[1:])
            for s in self.writes[number]:
                self.answered[s] = number
                if fua:
                    self.settle(s, number)
        elif words[0] == 'f':
            self.at_flush = dict(self.answered)
        elif words[0] == 'F':
            for s, number in self.at_flush.items():
                self.settle(s, number)
            self.answered = {}


def read_all(h):
    size, step = h.get_size(), 1 << 20
    return b''.join(h.pread(min(step, size - at), at)
                    for at in range(0, size, step))


def verify(uri, journal, original=None):
    h = nbd.NBD()
    h.connect_uri(uri)
    sectors = h.get_size() // SECTOR
    before = bytes(h.get_size())
    if original:
        with open(original, 'rb') as f:
            before = f.read()

    def expected(number, s):
        if number in judge.zeroes:
            return bytes(SECTOR)
        if number != ORIGINAL:
            return content(number)
        return before[s * SECTOR:(s + 1) * SECTOR]

    judge = Judge(sectors)
    with open(journal) as j:
        for line in j:
            if line.endswith('\n'):
                judge.line(line.split())
    disk = read_all(h)
    for s in range(sectors):
        found = disk[s * SECTOR:(s + 1) * SECTOR]
        if not any(found == expected(n, s) for n in judge.allowed[s]):
            raise SystemExit('sector %d holds %r, and not one of the writes %r'
                             % (s, found[:16], judge.allowed[s]))
    print('%d writes' % len(judge.writes))


if sys.argv[1] == 'write':
    write(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    verify(*sys.argv[2:])
