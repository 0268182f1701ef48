"""Writes whose survival can be judged after the server was killed.

  stamp.py write URI JOURNAL ROUND   write until the server goes away
  stamp.py verify URI JOURNAL [FILE] compare the disk with the journal; FILE
                                     is what it held at first (else zeroes)

Each write fills sectors with the number of the write.  The journal has a line
before each write is sent ("w NUMBER OFFSET LENGTH"), after its answer ("d
NUMBER"), before and after each flush ("f", "F").  A sector must hold the last
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
ORIGINAL = 0                # no write has this number


def content(number):
    return struct.pack('>QQ', 0x7374616d70, number) * (SECTOR // 16)


def write(uri, journal, round_number):
    h = nbd.NBD()
    h.connect_uri(uri)
    rnd = random.Random(round_number)
    sectors = h.get_size() // SECTOR
    number = round_number << 32
    with open(journal, 'a', buffering=1) as j:
        print('r', file=j)
        try:
            while True:
                number += 1
                first = rnd.randrange(sectors)
                count = min(1 + rnd.randrange(MAX_SECTORS), sectors - first)
                print('w', number, first, count, file=j)
                flags = nbd.CMD_FLAG_FUA if rnd.randrange(50) == 0 else 0
                h.pwrite(content(number) * count, first * SECTOR, flags)
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
        self.answered = {}      # sector -> last answered write
        self.at_flush = {}

    def settle(self, sector, number):
        """The write of this number is durable: what went before is not
        allowed any more."""
        may = self.allowed[sector]
        if number in may:
            self.allowed[sector] = may[may.index(number):]

    def line(self, words):
        if words[0] == 'w':
            number, first, count = map(int, words[1:])
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


def verify(uri, journal, original=None):
    h = nbd.NBD()
    h.connect_uri(uri)
    sectors = h.get_size() // SECTOR
    first = open(original, 'rb') if original else None

    def expected(number, s):
        if number != ORIGINAL:
            return content(number)
        if first is None:
            return bytes(SECTOR)
        first.seek(s * SECTOR)
        return first.read(SECTOR)

    judge = Judge(sectors)
    with open(journal) as j:
        for line in j:
            if line.endswith('\n'):
                judge.line(line.split())
    for s in range(sectors):
        found = h.pread(SECTOR, s * SECTOR)
        if not any(found == expected(n, s) for n in judge.allowed[s]):
            raise SystemExit('sector %d holds %r, and not one of the writes %r'
                             % (s, found[:16], judge.allowed[s]))
    print('%d writes' % len(judge.writes))


if sys.argv[1] == 'write':
    write(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    verify(*sys.argv[2:])
