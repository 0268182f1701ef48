# vhdkit: images that are damaged: a good one and one named change
# SPDX-License-Identifier: BSD-3-Clause
"""Checksums are made right again wherever the checksum is not the damage, so
that each image gets past all checks but one."""

import os

import vhd
from recipes import GiB, MiB, recipe
from vhd import SECTOR


# Not VHD files at all (9.2 points 1 and 2)

def plain(name, what, content):
    @recipe('bad-file-' + name, '9.2.1', what)
    def _(w):
        with open(w.path, 'wb') as f:
            f.write(content(w) if callable(content) else content)


plain('empty', 'no bytes', b'')
plain('one-byte', 'one byte', b'c')
plain('short', '510 bytes of zeros', bytes(510))
plain('511-zeros', '511 bytes of zeros', bytes(511))
plain('sector', 'one sector of zeros', bytes(512))
plain('random', 'random bytes', lambda w: w.rng.randbytes(70000))
plain('text', 'text', b'conectix is what a footer begins with\n' * 99)
plain('qcow2', 'the first bytes of qcow2', b'QFI\xfb\0\0\0\3'.ljust(65536))
plain('vhdx', 'the first bytes of VHDX', b'vhdxfile'.ljust(65536, b'\0'))
plain('cookie', 'nothing but the cookie', b'conectix'.ljust(512, b'\0'))


# Footers (9.2 points 2 and 3)

def dynamic(name, point, what, change, make=None, **expect):
    @recipe('bad-' + name, point, what, **expect)
    def _(w):
        image = make(w) if make else w.dynamic(style='win7')
        change(w.path) if change.__code__.co_argcount == 1 else \
            change(w.path, image)


def footers(name, what, point='9.2.3', **fields):
    dynamic('footer-' + name, point, what,
            lambda p: vhd.edit_footers(p, **fields))


def fixed_footer(name, what, point='9.2.3', **fields):
    dynamic('fixed-' + name, point, what,
            lambda p: vhd.edit_footers(p, front=False, **fields),
            lambda w: w.fixed(size=3 * MiB))


footers('cookie', 'another cookie', '9.2.2', cookie=b'connectx')
footers('poison', 'the cookie of an interrupted resize', '7.3',
        cookie=b'v_poison')
footers('checksum', 'both checksums are wrong', '9.2.2', checksum=0x12345678)
footers('checksum-zero', 'both checksums are 0', '9.2.2', checksum=0)
footers('version-2', 'version 2.0', version=0x20000)
footers('version-0', 'version 0.0', version=0)
for number in (0, 1, 5, 6, 7, 0xffffffff):
    footers('type-%d' % number, 'type %d' % number, kind=number)
    fixed_footer('type-%d' % number, 'type %d' % number, kind=number)
footers('size-0', 'size 0', size=0)
footers('size-513', 'size not a multiple of 512', size=513)
footers('size-2040g', 'a sector more than 2040 GiB', size=(2040 * GiB) + 512)
footers('size-huge', 'size 2^63', size=1 << 63)
footers('size-max', 'size 2^64 - 512', size=(1 << 64) - 512)
fixed_footer('checksum', 'the checksum is wrong', '9.2.2', checksum=1)
fixed_footer('version-2', 'version 2.0', version=0x20000)
fixed_footer('size-0', 'size 0', size=0)
fixed_footer('size-513', 'size not a multiple of 512', size=513)
fixed_footer('longer', 'a sector more than the file holds', '9.2.4',
             size=3 * MiB + SECTOR)
fixed_footer('size-max', 'size 2^64 - 512', '9.2.4', size=(1 << 64) - 512)
dynamic('fixed-cut', '1.5', 'the footer of a fixed image is gone',
        lambda p: os.truncate(p, 3 * MiB), lambda w: w.fixed(size=3 * MiB))
dynamic('fixed-only-front', '1.5', 'a fixed footer, but only at the start',
        lambda p, i: (vhd.patch(p, 0, i.footer.pack()),
                      os.truncate(p, 3 * MiB)),
        lambda w: w.fixed(size=3 * MiB))
dynamic('footer-front-only-no-header', '1.5',
        'only the copy is left and the header is damaged',
        lambda p: (os.truncate(p, os.path.getsize(p) - 512),
                   vhd.patch(p, 0x200, b'x')))


# Dynamic header (9.2 points 5 and 6)

def data_offset(name, what, value):
    dynamic('data-offset-' + name, '9.2.5', what,
            lambda p: vhd.edit_footers(
                p, data_offset=value(os.path.getsize(p)) if callable(value)
                else value))


data_offset('0', 'header over the footer copy', 0)
data_offset('256', 'header below 512', 256)
data_offset('unaligned', 'header not at a sector', 0x201)
data_offset('none', 'no header, as in fixed images', vhd.NOWHERE)
data_offset('end', 'header at the end of the file', lambda size: size)
data_offset('cut', 'header cut by the end of the file',
            lambda size: size - 512)
data_offset('far', 'header at 2^62', 1 << 62)
data_offset('overflow', 'header at 2^64 - 512', (1 << 64) - 512)


def header(name, what, point='9.2.5', **fields):
    dynamic('header-' + name, point, what,
            lambda p: vhd.edit_header(p, **fields))


header('cookie', 'another cookie', cookie=b'cxsparce')
header('checksum', 'the checksum is wrong', checksum=0x12345678)
header('version-2', 'version 2.0', version=0x20000)
header('version-0', 'version 0.0', version=0)
for number, label in ((0, '0'), (1, '1'), (512, '512'), (2048, '2k'),
                      (4097, '4097'), (3 * MiB, '3m'), (512 * MiB, '512m'),
                      (1 << 31, '2g'), (0xffffffff, 'max')):
    header('block-size-' + label, 'block size %d' % number, '9.2.6',
           block_size=number)
header('entries-0', 'no entries', '9.2.6', entries=0)
header('entries-few', 'an entry too few', '9.2.6', entries=2)
header('entries-max', '2^32 - 1 entries', '9.2.6', entries=0xffffffff)
header('entries-file', 'more entries than the file has room for', '9.2.6',
       entries=0x10000000)
header('table-0', 'table over the footer copy', '9.2.6', table_offset=0)
header('table-on-header', 'table over the header', '9.2.6',
       table_offset=0x200)
header('table-on-header-end', 'table over the second half of the header',
       '9.2.6', table_offset=0x400)
header('table-unaligned', 'table not at a sector', '9.2.6',
       table_offset=0x604)
header('table-beyond', 'table beyond the end of the file', '9.2.6',
       table_offset=1 << 40)
header('table-overflow', 'table at 2^64 - 512', '9.2.6',
       table_offset=(1 << 64) - 512)
dynamic('header-table-cut', '9.2.6', 'table cut by the end of the file',
        lambda p: vhd.edit_header(p, table_offset=os.path.getsize(p) - 512,
                                  entries=200))


# Block table (9.2 point 7): read-only, all other blocks can be had

def entry(name, what, value, blocks=(0,)):
    """The entry of block 0 becomes value (image); blocks are lost by it."""
    @recipe('bad-entry-' + name, '9.2.7', what, ro='partial', rw='refuse')
    def _(w):
        image = w.unsaved(size=9 * MiB, style='win7', share=1)
        image.save(w.path)
        w.damaged = [(b * 2 * MiB, 2 * MiB) for b in blocks]
        w.remember()
        vhd.edit_entry(w.path, 0, value(image))


entry('0', 'in the footer copy', lambda i: 0)
entry('in-header', 'in the header', lambda i: 2)
entry('in-table', 'in the table', lambda i: 3)
entry('at-end', 'in the footer at the end',
      lambda i: i.table[4] + 4097)
entry('past-end', 'its last sector is in the footer at the end',
      lambda i: i.table[4] + 1, (0, 4))
entry('far', 'beyond the end of the file', lambda i: 0x7fffffff)
entry('max', 'the highest value there is', lambda i: 0xfffffffe)
entry('twice', 'two blocks in one place', lambda i: i.table[2], (0, 2))
entry('overlap-bitmap', 'bitmap in the last sector of another block',
      lambda i: i.table[2] + 4096, (0, 2, 3))
entry('overlap', 'half over another block', lambda i: i.table[1] + 2000,
      (0, 1, 2))


@recipe('bad-entry-stride', '8.14', 'all blocks a sector too near each other',
        ro='either', rw='refuse')
def _(w):
    image = w.unsaved(size=6 * MiB, style='win7', share=1)
    image.save(w.path)
    for n, at in enumerate(image.table):
        vhd.edit_entry(w.path, n, at - n)
    w.damaged = [(0, 6 * MiB)]


@recipe('bad-entry-in-locator', '9.2.7', 'a block over a locator of its child',
        ro='partial', rw='refuse')
def _(w):
    image = w.child_unsaved(w.parent(), share=1, style='win7')
    image.save(w.path)
    w.damaged = [(0, 2 * MiB)]
    w.remember()
    vhd.edit_entry(w.path, 0, image.locators[0].offset // SECTOR)


@recipe('bad-entry-in-batmap', '9.2.7', 'a block over the batmap',
        ro='partial', rw='refuse')
def _(w):
    w.unsaved(size=9 * MiB, style='tap', share=1).save(w.path)
    w.damaged = [(0, 2 * MiB)]
    w.remember()
    vhd.edit_entry(w.path, 0, 0x800 // SECTOR)


@recipe('bad-entry-no-footer', '9.2.7',
        'the file ends inside a block, in front of the end of the disk',
        ro='partial', rw='refuse')
def _(w):
    w.unsaved(size=9 * MiB, style='win7', share=1).save(w.path)
    w.damaged = [(8 * MiB, MiB)]
    w.remember()
    os.truncate(w.path, os.path.getsize(w.path) - 512 - 3 * 512 * 1024)


# Parents (9.2 points 8 and 9)

@recipe('bad-parent-missing', '9.2.9', 'the parent is gone')
def _(w):
    w.child()
    os.remove(w.parents.pop())


@recipe('bad-parent-other-id', '9.2.9', 'the parent has another id')
def _(w):
    w.child()
    vhd.edit_footers(w.parents[0], id=w.id())


@recipe('bad-parent-one-bit', '9.2.9', 'one bit of the parent\'s id differs')
def _(w):
    image = w.child()
    last = image.header.parent_id[15] ^ 1
    vhd.edit_header(w.path, parent_id=image.header.parent_id[:15] +
                    bytes([last]))


@recipe('bad-parent-not-vhd', '9.2.9', 'the parent is no VHD')
def _(w):
    w.child()
    with open(w.parents[0], 'wb') as f:
        f.write(w.rng.randbytes(3 * MiB))


@recipe('bad-parent-raw', '6.6', 'the parent is raw, by id 0: never probed')
def _(w):
    w.child()
    vhd.edit_header(w.path, parent_id=bytes(16))


@recipe('bad-parent-damaged', '9.2.9', 'the parent\'s header is damaged')
def _(w):
    w.child()
    vhd.edit_header(w.parents[0], checksum=0)


@recipe('bad-parent-of-parent', '9.2.9', 'the parent\'s parent is gone')
def _(w):
    base = w.parent()
    middle_path = w.beside('middle-of-%s.vhd' % w.name)
    middle = w.child_unsaved(base)
    middle.save(middle_path)
    image = w.child_unsaved(middle, middle_path)
    image.save(w.path)
    os.remove(w.parents[0])
    w.parents = [middle_path]


@recipe('bad-parent-itself', '9.2.9', 'an image that is its own parent')
def _(w):
    id_ = w.id()
    image = vhd.new(vhd.DIFFERENCING, 5 * MiB, id=id_,
                    parent=vhd.Footer(id=id_), parent_name=w.name + '.vhd')
    image.save(w.path)


@recipe('bad-parent-cycle', '6.6', 'two images that are each other\'s parent')
def _(w):
    ids = [w.id(), w.id()]
    names = [w.name + '.vhd', 'other-of-%s.vhd' % w.name]
    for n in (0, 1):
        image = vhd.new(vhd.DIFFERENCING, 5 * MiB, id=ids[n],
                        parent=vhd.Footer(id=ids[1 - n]),
                        parent_name=names[1 - n])
        image.save(w.beside(names[n]))
    w.parents = [w.beside(names[1])]


@recipe('bad-locator-only', '9.2.8', 'its one locator lies beyond the end of '
        'the file, and it has no name')
def _(w):
    w.child()
    wrong = vhd.Locator('W2ru', b'x\0', offset=1 << 40)
    vhd.edit_header(w.path, parent_name=b'',
                    locators=wrong.pack().ljust(192, b'\0'))


@recipe('bad-locator-none', '9.2.9', 'neither locator nor name')
def _(w):
    w.child()
    vhd.edit_header(w.path, parent_name=b'', locators=bytes(192))
