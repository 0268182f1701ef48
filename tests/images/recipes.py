# vhdkit: what recipes for test images are made with
# SPDX-License-Identifier: BSD-3-Clause
"""A recipe is a function that writes one image (and its parents, if only it
needs them).  good.py, odd.py and bad.py register theirs with @recipe; a name
begins with the name of its file.  generate.py runs them.

What an image has to do is said for both ways of opening it:
  serve    its content comes out, exactly
  refuse   it is not opened, and the message names it
  either   one of the two, or it is opened and reading fails with EIO
  partial  everything but the damaged ranges comes out, exactly
"""

import os
import random
from dataclasses import dataclass

import vhd
from vhd import SECTOR

MiB = 1 << 20
GiB = 1 << 30
# Not a multiple of any block size: the last block is cut.
SIZE = 5 * MiB + 3 * SECTOR

RECIPES = {}


@dataclass
class Recipe:
    name: str
    write: callable
    point: str                  # section of the format notes it exercises
    what: str
    ro: str
    rw: str


def recipe(name, point, what, ro=None, rw=None):
    """Register a recipe.  Without ro and rw the name says what is expected:
    bad ones are refused, all others are served."""
    default = 'refuse' if name.startswith('bad-') else 'serve'

    def register(write):
        assert name not in RECIPES, name
        RECIPES[name] = Recipe(name, write, point, what, ro or default,
                               rw or ro or default)
        return write
    return register


class Work:
    """What a recipe works with: a place to write and a source of chance that
    depends only on the seed and the recipe's name."""

    def __init__(self, directory, name, seed):
        self.dir = directory
        self.name = name
        self.path = os.path.join(directory, name + '.vhd')
        self.rng = random.Random('%s/%s' % (seed, name))
        self.parents = []       # paths, nearest first
        self.options = []       # for the plugin
        self.damaged = []       # (offset, length) of the disk
        self.sha256 = None      # set before damage is done
        self.size = None

    def beside(self, name):
        return os.path.join(self.dir, name)

    def id(self):
        b = bytearray(self.rng.randbytes(16))
        b[6], b[8] = b[6] & 15 | 0x40, b[8] & 63 | 0x80
        return bytes(b)

    def block(self, block_size, bitmap):
        """Random content.  bitmap: full; exact, zeros under clear bits;
        stale, other bytes under clear bits."""
        n = block_size // SECTOR
        length = block_size if n <= 128 else self.rng.randrange(1, 64) * 4096
        if self.rng.random() < .2:
            length = min(block_size, 4 * MiB)
        length = min(length, block_size)
        data = bytearray(self.rng.randbytes(length))
        if bitmap == 'full':
            return vhd.Block(bytes(data))
        map_ = self.some_bits(n)
        if bitmap == 'exact':
            for s in range(length // SECTOR):
                if not map_[s >> 3] & 0x80 >> (s & 7):
                    data[s * SECTOR:(s + 1) * SECTOR] = bytes(SECTOR)
        return vhd.Block(bytes(data), map_)

    def some_bits(self, n):
        """Half of the time single bits, half of the time runs."""
        if self.rng.random() < .5:
            return self.rng.randbytes(n // 8)
        chosen, s = [], self.rng.randrange(40)
        while s < n:
            run = self.rng.randrange(1, 48)
            chosen += range(s, min(n, s + run))
            s += run + self.rng.randrange(1, 90)
        return vhd.bits(chosen, n)

    def blocks(self, size, block_size, bitmap, share=.6):
        """Some blocks of a disk, at least one, at most twelve."""
        count = -(-size // block_size)
        number = max(1, min(12, round(count * share)))
        return {n: self.block(block_size, bitmap)
                for n in sorted(self.rng.sample(range(count), number))}

    def fixed(self, size=SIZE, style='win10', path=None, **more):
        image = vhd.new(vhd.FIXED, size, style, id=self.id(), **more)
        image.content = self.rng.randbytes(min(size, 300 * 1024))
        image.save(path or self.path)
        return image

    def unsaved(self, size=SIZE, style='win10', block_size=2 * MiB,
                bitmap=None, share=.6, kind=vhd.DYNAMIC, **more):
        image = vhd.new(kind, size, style, block_size, self.id(), **more)
        if bitmap is None:
            bitmap = 'full' if image.style.full_bitmaps else 'exact'
        if share:
            image.blocks = self.blocks(size, block_size, bitmap, share)
        return image

    def dynamic(self, path=None, **more):
        image = self.unsaved(**more)
        image.save(path or self.path)
        return image

    def parent(self, **more):
        """A dynamic parent of our own beside the image."""
        path = self.beside('parent-of-%s.vhd' % self.name)
        image = self.dynamic(path, **more)
        self.parents = [path]
        return image

    def child_unsaved(self, parent, path=None, size=None, style='win10',
                      bitmap='stale', **more):
        """A child of the image parent, which lies at path: the first of
        self.parents, if not given."""
        path = path or self.parents[0]
        return self.unsaved(
            size or parent.footer.size, style, bitmap=bitmap,
            kind=vhd.DIFFERENCING, parent=parent.footer,
            parent_name=os.path.relpath(path, self.dir), **more)

    def child(self, parent=None, **more):
        """A child of parent, or of a new one."""
        image = self.child_unsaved(parent or self.parent(), **more)
        image.save(self.path)
        return image

    def remember(self):
        """The content as it is now is what must be served later, except in
        the damaged ranges."""
        with vhd.Chain(self.path, *self.parents) as chain:
            self.size = chain.size
            if chain.size <= 64 * MiB:
                self.sha256 = chain.sha256(self.damaged)
