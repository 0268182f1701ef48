# vhdkit: images as their programs make them
# SPDX-License-Identifier: BSD-3-Clause

import os

import vhd
from recipes import GiB, MiB, SIZE, recipe
from vhd import SECTOR, STYLES


def in_each_style(style):
    @recipe('good-dynamic-' + style, '1.4 4.3', 'blocks as %s puts them'
            % style)
    def _(w):
        w.dynamic(size=9 * MiB + 5 * SECTOR, style=style)

    @recipe('good-empty-' + style, '10.4', 'no block yet, as by %s' % style)
    def _(w):
        w.dynamic(size=40 * MiB, style=style, share=0)

    @recipe('good-child-' + style, '6.4', 'child as %s makes it' % style)
    def _(w):
        w.child(style=style)


for style_name in STYLES:
    in_each_style(style_name)


def fixed_in_style(style):
    @recipe('good-fixed-' + style, '1', 'fixed, by %s' % style)
    def _(w):
        w.fixed(style=style)


for style_name in ('qemu', 'qem2', 'vpc', 'win10', 'vbox', 'wa', 'mkimg'):
    fixed_in_style(style_name)


def with_block_size(block_size, label):
    size = max(SIZE, 2 * block_size + 9 * SECTOR)
    if block_size < 64 << 10:
        size = 40 * block_size + SECTOR

    @recipe('good-block-' + label, '3.2', 'dynamic, %s blocks' % label)
    def _(w):
        w.dynamic(size=size, style='vbox', block_size=block_size)

    @recipe('good-child-block-' + label, '3.2',
            'child with %s blocks over 2 MiB blocks' % label)
    def _(w):
        parent = w.parent(size=size)
        w.child(parent, style='dutl', block_size=block_size)


for exponent, name in ((12, '4k'), (13, '8k'), (15, '32k'), (16, '64k'),
                       (19, '512k'), (20, '1m'), (22, '4m'), (24, '16m'),
                       (28, '256m')):
    with_block_size(1 << exponent, name)


def of_size(size, label, what):
    @recipe('good-size-' + label, '2.1', 'dynamic, %s' % what)
    def _(w):
        w.dynamic(size=size, share=.6 if size < GiB else 1e-9)


for number, name, text in (
        (SECTOR, 'one-sector', 'one sector'),
        (2 * MiB - SECTOR, 'block-less-one', 'a block less a sector'),
        (2 * MiB, 'block', 'exactly a block'),
        (2 * MiB + SECTOR, 'block-and-one', 'a block and a sector'),
        (3 * MiB, '3m', 'the smallest of Windows'),
        (33822350848, 'chs-below', 'a sector below the change of geometry'),
        (33822351360, 'chs-at', 'at the change of geometry'),
        (127 * GiB, '127g', '127 GiB'),
        (128 * GiB + SECTOR, '128g', 'beyond the largest geometry'),
        (2040 * GiB, '2040g', '2040 GiB, the most there is')):
    of_size(number, name, text)


@recipe('good-fixed-one-sector', '2.2', 'fixed, one sector')
def _(w):
    w.fixed(size=SECTOR)


@recipe('good-fixed-2040g', '2.2', 'fixed, 2040 GiB, sparse file')
def _(w):
    w.fixed(size=2040 * GiB)


@recipe('good-shuffled', '1', 'blocks in another order than the disk')
def _(w):
    image = w.unsaved(size=12 * MiB, block_size=512 << 10, share=1)
    image.order = w.rng.sample(sorted(image.blocks), len(image.blocks))
    image.save(w.path)


@recipe('good-gaps', '1', 'unused space between blocks')
def _(w):
    image = w.unsaved(style='qemu', size=9 * MiB, share=1)
    for block in image.blocks.values():
        block.gap = w.rng.randrange(9) * SECTOR
    image.save(w.path)


@recipe('good-all-blocks', '3.3', 'every block allocated')
def _(w):
    w.dynamic(size=6 * MiB, style='mkimg', share=1)


@recipe('good-child-empty', '6.1', 'child without a block')
def _(w):
    w.child(share=0)


@recipe('good-child-full', '4.2', 'child that hides its parent entirely')
def _(w):
    w.child(share=1, bitmap='full')


@recipe('good-child-of-fixed', '6.1', 'the parent is fixed')
def _(w):
    path = w.beside('parent-of-%s.vhd' % w.name)
    parent = w.fixed(path=path)
    w.parents = [path]
    w.child(parent)


def chain(w, layers):
    """Layers, base first, each (style, block size, size or None)."""
    parent, path = None, None
    for n, (style, block_size, size) in enumerate(layers):
        last = n == len(layers) - 1
        where = w.path if last else w.beside('layer%d-of-%s.vhd' % (n, w.name))
        if parent is None:
            parent = w.dynamic(where, size=size, style=style,
                               block_size=block_size)
        else:
            parent = w.child_unsaved(parent, path, size, style,
                                     block_size=block_size, share=.4)
            parent.save(where)
        if not last:
            w.parents.insert(0, where)
        path = where


@recipe('good-chain-3', '6', 'three layers, three programs')
def _(w):
    chain(w, [('vpc', 2 * MiB, SIZE), ('tap', 2 * MiB, None),
              ('win10', 2 * MiB, None)])


@recipe('good-chain-mixed-blocks', '3.2', 'block sizes change in each layer')
def _(w):
    chain(w, [('qemu', 2 * MiB, SIZE), ('win10', 512 << 10, None),
              ('vbox', 4 * MiB, None), ('dutl', 64 << 10, None)])


@recipe('good-chain-8', '6.6', 'eight layers')
def _(w):
    chain(w, [('win10', 512 << 10, SIZE)] + [('win10', 512 << 10, None)] * 7)


@recipe('good-child-larger', '6.1', 'the parent ends inside the child')
def _(w):
    chain(w, [('win10', 2 * MiB, SIZE), ('tap', 2 * MiB, SIZE + 3 * MiB)])


@recipe('good-child-smaller', '6.1', 'the child ends inside the parent')
def _(w):
    chain(w, [('win10', 2 * MiB, SIZE), ('tap', 2 * MiB, SIZE - 2 * MiB)])


@recipe('good-chain-narrow', '6.1',
        'a short layer in the middle hides the end of the base')
def _(w):
    chain(w, [('win10', 2 * MiB, SIZE), ('win10', 2 * MiB, 3 * MiB - SECTOR),
              ('win10', 512 << 10, SIZE + MiB)])


def located(name, what, locators, stored=None, parent_name=None, code='6.3'):
    """A child that names its parent by locators alone: (code, text) pairs, in
    which %s stands for the parent's file name.  stored: the header's name."""
    @recipe('good-locator-' + name, code, what)
    def _(w):
        base = w.parent(size=3 * MiB)
        if parent_name:
            move_parent(w, parent_name)
        image = w.child_unsaved(base)
        plain = w.parents[0][len(w.dir) + 1:].split('/')[-1]
        image.header.parent_name = b'' if stored is None else \
            stored.replace('%s', plain).encode('utf-16-be')
        image.locators = [
            vhd.text_locator(c, t.replace('%s', plain).replace('%d', w.dir))
            for c, t in locators]
        image.save(w.path)


def move_parent(w, name):
    path = w.beside(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.replace(w.parents[0], path)
    w.parents = [path]


located('w2ru', 'W2ru only', [('W2ru', '.\\%s')])
located('w2ru-plain', 'W2ru without .\\', [('W2ru', '%s')])
located('w2ru-slashes', 'W2ru with / between', [('W2ru', './%s')])
located('w2ru-nul', 'W2ru with a NUL at the end', [('W2ru', '.\\%s\0')])
located('w2ru-folder', 'W2ru leads into a folder', [('W2ru', '.\\sub\\%s')],
        parent_name='sub/w2ru-parent.vhd')
located('w2ru-dots', 'W2ru goes up and down',
        [('W2ru', '.\\sub\\..\\.\\sub\\%s')],
        parent_name='sub/w2ru-dots-parent.vhd')
located('w2ku', 'W2ku of another machine, the parent lies beside',
        [('W2ku', 'D:\\Somewhere\\Else\\%s')])
located('w2ku-unc', 'W2ku on a share, the parent lies beside',
        [('W2ku', '\\\\server\\share\\%s')])
located('w2ku-long', 'W2ku with a long path prefix',
        [('W2ku', '\\\\?\\C:\\vm\\%s')])
located('w2ku-posix', 'W2ku with a path of this machine, as by VirtualBox',
        [('W2ku', '%d/sub/%s')], parent_name='sub/w2ku-posix-parent.vhd')
located('w2ku-relative', 'W2ku that is relative, as by XenServer',
        [('W2ku', '.\\sub\\%s')], parent_name='sub/w2ku-rel-parent.vhd')
located('macx', 'MacX relative, as by XenServer', [('MacX', 'file://./%s')])
located('macx-absolute', 'MacX with a path of this machine',
        [('MacX', 'file://localhost%d/sub/%s')],
        parent_name='sub/macx-parent.vhd')
located('macx-escaped', 'MacX with escaped characters',
        [('MacX', 'file://localhost%d/sub/macx%20parent%2B%C3%A9.vhd')],
        parent_name='sub/macx parent+é.vhd')
located('wi2r', 'only the deprecated code, and the name', [('Wi2r', '.\\%s')],
        stored='%s')
located('mac-alias', 'an alias that nobody can read, and the name',
        [('Mac ', '\1\2\3')], stored='%s')
located('none', 'no locator, only the name', [], stored='%s')
located('name-path', 'no locator, the name is a whole path', [],
        stored='C:\\Images\\%s')
located('second', 'the first locator leads nowhere',
        [('W2ru', '.\\not-there.vhd'), ('W2ru', '.\\%s')])
located('case', 'the name differs in upper and lower case',
        [('W2ru', '.\\CASE-Parent.VHD')], parent_name='case-parent.vhd')
located('unicode', 'names outside of ASCII and of the first plane',
        [('W2ru', '.\\%s')], parent_name='Ümlaut 文字 \U0001f4be.vhd',
        stored='%s')


@recipe('good-locator-many', '6.3', 'all eight slots in use')
def _(w):
    image = w.child_unsaved(w.parent())
    right = image.locators[1].payload
    image.locators = [vhd.text_locator('W2ru', '.\\no-%d.vhd' % n)
                      for n in range(7)] + [vhd.Locator('W2ru', right)]
    image.save(w.path)


@recipe('good-locator-other-image', '6.5',
        'the first candidate is a VHD, but not the parent')
def _(w):
    base = w.parent()
    w.dynamic(w.beside('not-the-parent.vhd'), size=SIZE)
    image = w.child_unsaved(base)
    image.locators.insert(0, vhd.text_locator('W2ru', '.\\not-the-parent.vhd',
                                              slot=2))
    image.header.table_offset = 0x20000     # behind the locators of Windows
    image.save(w.path)


@recipe('good-option-parent', '6.5', 'the parent is given by hand')
def _(w):
    base = w.parent(size=3 * MiB)
    move_parent(w, 'sub/by-hand.vhd')
    w.child(base)
    vhd.edit_header(w.path, parent_name=b'', locators=bytes(192))
    w.options = ['parent=sub/by-hand.vhd']


@recipe('good-option-search', '6.5', 'the parent is in a folder to search')
def _(w):
    base = w.parent(size=3 * MiB)
    image = w.child_unsaved(base)
    image.save(w.path)
    move_parent(w, 'elsewhere/parent-of-%s.vhd' % w.name)
    w.options = ['search=elsewhere']


@recipe('good-option-other-id', '6.5', 'a parent with another id, accepted')
def _(w):
    base = w.parent(size=3 * MiB)
    w.child(base)
    vhd.edit_footers(w.parents[0], id=w.id())
    w.options = ['ignore-parent-id=true']


@recipe('good-raw-parent', '6.6', 'the parent is a raw file, given by hand')
def _(w):
    path = w.beside('raw-parent.img')
    with open(path, 'wb') as f:
        f.write(w.rng.randbytes(3 * MiB))
    base = vhd.new(vhd.FIXED, 3 * MiB)
    image = w.child_unsaved(base, path, style='tap')
    image.save(w.path)
    w.parents = ['raw:' + path]
    w.options = ['parent=raw:raw-parent.img']
