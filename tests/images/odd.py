# vhdkit: images that are unusual, or damaged without harm
# SPDX-License-Identifier: BSD-3-Clause

import os
import struct

import vhd
from recipes import GiB, MiB, SIZE, recipe
from vhd import SECTOR


# Footers

def with_footer(name, point, what, kinds='fd', **fields):
    """Both footers have these fields.  f: a fixed image, d: a dynamic one."""
    for kind in kinds:
        @recipe('odd-%s%s' % (name, '-fixed' if kind == 'f' else ''), point,
                what)
        def _(w, kind=kind):
            make = w.fixed if kind == 'f' else w.dynamic
            make(style='win7', **fields)


with_footer('features-none', '1.1', 'the reserved feature bit is clear',
            features=0)
with_footer('features-temporary', '1.1', 'marked as temporary', features=3)
with_footer('version-minor', '9.2.3', 'format version 1.1', version=0x10001)
with_footer('timestamp-zero', '1.1', 'no time stamp', timestamp=0)
with_footer('timestamp-last', '1.1', 'created in 2136', 'd',
            timestamp=0xffffffff)
with_footer('creator-unknown', '1.4', 'creator nobody knows', creator=b'zz\1"')
with_footer('creator-zero', '1.4', 'no creator', creator=bytes(4),
            creator_os=bytes(4))
with_footer('original-size', '1.1', 'was smaller when created',
            original_size=3 * MiB)
with_footer('original-size-zero', '1.1', 'original size 0', original_size=0)
with_footer('chs-zero', '1.4', 'geometry 0/0/0', chs=(0, 0, 0))
with_footer('chs-small', '1.4', 'geometry for a smaller disk', chs=(9, 4, 17))
with_footer('chs-large', '1.4', 'geometry for a larger disk',
            chs=(65535, 16, 255))
with_footer('saved-state', '1.1', 'a machine is suspended on it',
            saved_state=1)
with_footer('saved-state-other', '1.1', 'a saved state of 0xff',
            saved_state=0xff)
with_footer('hidden', '7.2', 'the hidden flag of XenServer', hidden=1)
with_footer('reserved', '1.1', 'bytes in the reserved part',
            reserved=bytes(range(213)) * 2)
with_footer('fixed-data-offset', '9.2.4', 'data offset 0', 'f', data_offset=0)
with_footer('fixed-data-offset-32', '9.2.4',
            'data offset of 32 set bits, as the text of 2006 has it', 'f',
            data_offset=0xffffffff)


@recipe('odd-id-zero', '1.1', 'unique id is zero')
def _(w):
    image = w.unsaved(style='qemu')
    image.footer.id = bytes(16)
    image.save(w.path)


@recipe('odd-tap-legacy-checksum', '1.2',
        'tap 1.1 sets the hidden byte outside the checksum')
def _(w):
    image = w.unsaved(style='tap', creator_version=(1, 1))
    image.footer.checksum = vhd.checksum(
        vhd.replace(image.footer, data_offset=0x200).pack(), 64)
    image.footer.hidden = 1
    image.save(w.path)


@recipe('odd-footer-511', '1.5', 'dynamic, footer of 511 bytes')
def _(w):
    image = w.unsaved(style='vpc')
    image.footer_bytes = 511
    image.save(w.path)


@recipe('odd-footer-511-fixed', '1.5', 'fixed, footer of 511 bytes')
def _(w):
    image = w.unsaved(kind=vhd.FIXED, style='vpc', share=0)
    image.content = w.rng.randbytes(3 * MiB)
    image.footer_bytes = 511
    image.save(w.path)


def with_end(name, what, change):
    """The footer at the end is damaged; the copy at the start stands in."""
    @recipe('odd-end-' + name, '1.5', what, ro='serve', rw='either')
    def _(w):
        image = w.unsaved(style='win7')
        image.save(w.path)
        change(w.path, image)


def cut(path, length):
    os.truncate(path, os.path.getsize(path) - length)


with_end('missing', 'no footer at the end', lambda p, i: cut(p, 512))
with_end('half', 'half a footer at the end', lambda p, i: cut(p, 256))
with_end('zeros', 'zeros instead of the footer at the end',
         lambda p, i: vhd.patch(p, -512, bytes(512)))
with_end('in-use', '0xC7 instead of the footer, as tap marks it in use',
         lambda p, i: vhd.patch(p, -512, b'\xc7' * 512))
with_end('checksum', 'the checksum of the footer at the end is wrong',
         lambda p, i: vhd.patch(p, -512 + 0x30, b'\1'))
with_end('junk', 'junk after the footer',
         lambda p, i: vhd.patch(p, os.path.getsize(p), b'junk' * 300))
with_end('grown', 'space for a block that never came, and no footer there',
         lambda p, i: os.truncate(p, os.path.getsize(p) + 2 * MiB + 512))
with_end('type', 'the footer at the end has type 0',
         lambda p, i: vhd.edit_footers(p, front=False, kind=0))
with_end('version', 'the footer at the end has version 9.0',
         lambda p, i: vhd.edit_footers(p, front=False, version=0x90000))


@recipe('odd-end-in-use-empty', '1.5', 'in use by tap, and no block yet',
        ro='serve', rw='either')
def _(w):
    w.dynamic(style='tap', share=0)
    vhd.patch(w.path, -512, b'\xc7' * 512)


@recipe('odd-end-short-block', '4.3', 'the file ends inside the last block, '
        'behind the last sector of the disk', ro='serve', rw='either')
def _(w):
    image = w.unsaved(style='qemu', share=1)
    image.save(w.path)
    cut(w.path, 512 + 300 * 1024)


@recipe('odd-footer-in-block', '4.3', 'the footer lies inside the last block, '
        'behind the last sector of the disk', ro='serve', rw='either')
def _(w):
    image = w.unsaved(style='qemu', share=1)
    image.save(w.path)
    footer = image.footer.pack()
    cut(w.path, 512 + 512 * 1024)
    vhd.patch(w.path, os.path.getsize(w.path), footer)


with_front = [
    ('zeros', 'zeros at the start', lambda p: vhd.patch(p, 0, bytes(512))),
    ('checksum', 'the checksum of the copy at the start is wrong',
     lambda p: vhd.patch(p, 0x30, b'\1')),
    ('differs', 'the copy at the start has another time stamp',
     lambda p: vhd.edit_footers(p, end=False, timestamp=1)),
    ('other-id', 'the copy at the start has another id',
     lambda p: vhd.edit_footers(p, end=False, id=b'\7' * 16)),
    ('type', 'the copy at the start has type 0',
     lambda p: vhd.edit_footers(p, end=False, kind=0)),
]
for label, text, damage in with_front:
    @recipe('odd-front-' + label, '1.5', text)
    def _(w, damage=damage):
        w.dynamic()
        damage(w.path)


@recipe('odd-front-old-size', '1.5', 'both footers are sound; the one at the '
        'end says the disk has grown, the table has room', ro='either')
def _(w):
    w.dynamic(style='vpc', size=4 * MiB, entries=3)
    vhd.edit_footers(w.path, front=False, size=6 * MiB)


# Fixed images

@recipe('odd-fixed-forged', '9.1', 'the guest has put a sound footer, header '
        'and table at the start of its disk')
def _(w):
    inner = w.unsaved(size=4 * MiB, style='win7')
    inner.save(w.path)
    with open(w.path, 'rb') as f:
        forged = f.read()
    image = vhd.new(vhd.FIXED, 9 * MiB, id=w.id())
    image.content = forged[:9 * MiB]
    image.save(w.path)


@recipe('odd-fixed-front', '1', 'the guest has put the fixed footer itself at '
        'the start of its disk')
def _(w):
    image = w.fixed()
    vhd.patch(w.path, 0, image.footer.pack())


@recipe('odd-fixed-longer', '9.2.4', 'bytes between the disk and the footer')
def _(w):
    image = w.fixed()
    vhd.patch(w.path, -512, b'unused!!' * 640 + image.footer.pack())


@recipe('odd-fixed-3t', '9.2.3', 'fixed, 3 TiB')
def _(w):
    w.fixed(size=3072 * GiB)


@recipe('odd-tap-2046g', '2.2', 'tap, 2046 GiB, beyond the specification',
        ro='either')
def _(w):
    w.dynamic(size=2046 * GiB, style='tap', share=0)


# Header and table

@recipe('odd-next-legacy', '9.2.5', 'next offset 0x00000000FFFFFFFF')
def _(w):
    w.dynamic(style='qemu')
    vhd.edit_header(w.path, next_offset=0xffffffff)


@recipe('odd-next-itself', '9.2.5', 'next offset leads to the header itself',
        ro='either')
def _(w):
    w.dynamic(style='qemu')
    vhd.edit_header(w.path, next_offset=0x200)


@recipe('odd-header-reserved', '3.1', 'bytes in reserved parts of the header')
def _(w):
    w.dynamic()
    vhd.edit_header(w.path, reserved1=7, reserved2=bytes(range(256)))


@recipe('odd-header-elsewhere', '3.1', 'the header lies at 0x4000')
def _(w):
    image = w.unsaved(style='qemu')
    image.header_offset = 0x4000
    image.save(w.path)


@recipe('odd-dynamic-with-parent', '3.1',
        'dynamic, but parent id, name and a locator are filled in')
def _(w):
    w.dynamic(style='vpc')
    vhd.edit_header(w.path, parent_id=b'\5' * 16, parent_name=b'\0x\0y',
                    locators=vhd.Locator('W2ru', b'x\0', offset=0x200)
                    .pack() * 8)


def oversized(name, extra, what):
    @recipe('odd-table-' + name, '3.1', what)
    def _(w):
        w.dynamic(style='vpc', entries=3 + extra)


oversized('one-more', 1, 'one entry more than needed')
oversized('many-more', 5000, '5000 entries more than needed')


@recipe('odd-table-used-beyond', '3.3',
        'an entry behind the last needed one is in use')
def _(w):
    image = w.unsaved(style='vpc', entries=8)
    image.blocks[6] = w.block(2 * MiB, 'full')
    image.save(w.path)


@recipe('odd-table-junk-beyond', '3.3',
        'an entry behind the last needed one leads nowhere', ro='either')
def _(w):
    w.dynamic(style='vpc', entries=8)
    vhd.patch(w.path, 0x600 + 4 * 6, b'\0\0\0\1')


@recipe('odd-table-far', '3.1', 'the table lies at 0x12000')
def _(w):
    image = w.unsaved(style='win7')
    image.header.table_offset = 0x12000
    image.save(w.path)


@recipe('odd-table-last', '3.1', 'the table lies behind the blocks',
        ro='either')
def _(w):
    image = w.unsaved(style='win7', share=1)
    image.save(w.path)
    end = os.path.getsize(w.path) - 512
    table = struct.pack('>%dI' % len(image.table), *image.table)
    vhd.patch(w.path, end, table.ljust(512, b'\xff') + image.footer.pack())
    vhd.edit_header(w.path, table_offset=end)


# Bitmaps

@recipe('odd-bitmap-stale', '4.2 8.10',
        'dynamic, old bytes under clear bits: they are zeros')
def _(w):
    w.dynamic(style='tap', bitmap='stale', share=1)


@recipe('odd-bitmap-none', '4.2', 'dynamic, blocks whose bits are all clear')
def _(w):
    image = w.unsaved(style='vbox', share=1)
    for block in image.blocks.values():
        block.bitmap = b''
    image.save(w.path)


@recipe('odd-bitmap-padding', '4.1', 'bits behind the block are set')
def _(w):
    image = w.unsaved(style='vbox', block_size=64 << 10, bitmap='exact',
                      size=2 * MiB)
    for block in image.blocks.values():
        block.bitmap = block.bitmap.ljust(512, b'\xff')
    image.save(w.path)


def child_bits(name, what, sectors):
    @recipe('odd-child-bits-' + name, '4.2', what)
    def _(w):
        image = w.child_unsaved(w.parent(share=1), share=1)
        for number, block in image.blocks.items():
            block.data = w.rng.randbytes(2 * MiB)
            block.bitmap = vhd.bits(sectors(number), 4096)
        image.save(w.path)


child_bits('none', 'old bytes, no bit: all comes from the parent',
           lambda n: ())
child_bits('first', 'the first sector of each block', lambda n: (0,))
child_bits('last', 'the last sector of each block', lambda n: (4095,))
child_bits('even', 'every other sector', lambda n: range(n & 1, 4096, 2))
child_bits('bytes', 'one bit in each byte, moving',
           lambda n: [8 * b + b % 8 for b in range(512)])
child_bits('all-but-one', 'all but one sector',
           lambda n: [s for s in range(4096) if s != 1000 + n])


@recipe('odd-child-zeros', '10.2', 'zeros that hide the parent\'s data')
def _(w):
    image = w.child_unsaved(w.parent(share=1), share=1)
    for block in image.blocks.values():
        block.data = b''
    image.save(w.path)


@recipe('odd-tap-as-qemu', '8.2', 'child whose bits are all set, as qemu '
        'leaves it: what it holds counts')
def _(w):
    w.child(bitmap='full')


# Batmap

def with_batmap(name, what, change, rw='either'):
    @recipe('odd-batmap-' + name, '7.1', what, ro='serve', rw=rw)
    def _(w):
        w.dynamic(style='tap', size=9 * MiB)
        change(w.path)


with_batmap('cookie', 'no cookie', lambda p: vhd.patch(p, 0x800, b'x'))
with_batmap('version', 'version 9.9',
            lambda p: vhd.patch(p, 0x814, b'\0\x09\0\x09'))
with_batmap('offset', 'the map is beyond the end of the file',
            lambda p: vhd.patch(p, 0x808, b'\1'))
with_batmap('sectors', 'a map of 2 TiB',
            lambda p: vhd.patch(p, 0x810, b'\xff' * 4))
with_batmap('checksum', 'the checksum is wrong',
            lambda p: vhd.patch(p, 0x818, b'\x55'))
with_batmap('marker', 'the marker is set',
            lambda p: vhd.patch(p, 0x81c, b'\1'), 'serve')


@recipe('odd-batmap-absent-0.1', '7.1', 'tap 0.1 has none')
def _(w):
    w.dynamic(style='vbox', creator=b'tap\0', creator_version=(0, 1))


@recipe('odd-batmap-absent', '7.1', 'tap 1.3 without one; blocks lie there',
        ro='serve', rw='either')
def _(w):
    w.dynamic(style='vbox', creator=b'tap\0', creator_version=(1, 3))


# Parents and locators

@recipe('odd-parent-time', '6.2', 'the parent was changed later')
def _(w):
    w.child()
    vhd.edit_header(w.path, parent_timestamp=12345)


@recipe('odd-parent-hidden', '7.2', 'the parent is hidden, as by XenServer')
def _(w):
    base = w.parent(style='tap', hidden=1)
    w.child(base, style='tap')


@recipe('odd-parent-no-end', '1.5', 'the parent has no footer at its end',
        ro='serve', rw='either')
def _(w):
    w.child()
    cut(w.parents[0], 512)


def bad_locator(name, point, what, **fields):
    """One locator is wrong; the name of the header is right."""
    @recipe('odd-locator-' + name, point, what, ro='either')
    def _(w):
        image = w.child_unsaved(w.parent(), style='win7')
        payload = fields.pop('payload', None)
        wrong = image.locators[1]
        if payload is not None:
            wrong.payload = payload
        image.locators = [wrong]
        image.save(w.path)
        for key, value in fields.items():
            setattr(wrong, key, value(image) if callable(value) else value)
        vhd.edit_header(w.path, locators=wrong.pack().ljust(192, b'\0'))


bad_locator('beyond', '9.2.8', 'payload beyond the end of the file',
            offset=1 << 40)
bad_locator('overflow', '9.2.8', 'offset and length overflow 64 bits',
            offset=(1 << 64) - 512)
bad_locator('4g', '9.2.8', 'length 4 GiB less one', length=0xffffffff)
bad_locator('long', '9.2.8', 'length 64 KiB and two', length=65538)
bad_locator('odd-length', '9.2.8', 'odd length of UTF-16', length=21)
bad_locator('empty', '6.3', 'length 0', length=0)
bad_locator('in-headers', '9.2.8', 'payload over the footer copy', offset=0)
bad_locator('in-table', '9.2.8', 'payload in the table', offset=0x600)
bad_locator('in-block', '9.2.8', 'payload inside a block',
            offset=lambda i: min(e for e in i.table if e != vhd.UNUSED) * 512
            + 4096)
bad_locator('in-footer', '9.2.8', 'payload in the footer at the end',
            offset=lambda i: max(e for e in i.table if e != vhd.UNUSED) * 512
            + 512 + 2 * MiB)
bad_locator('space', '6.3', 'claims all space there is', space=0xffffffff)
bad_locator('code', '6.3', 'unknown platform', code='Zork')
bad_locator('surrogate', '6.5', 'half a surrogate pair',
            payload=b'\x3d\xd8x\0')
bad_locator('newline', '6.5', 'newline and control characters',
            payload='.\\a\nb\t\x1b[31m.vhd'.encode('utf-16-le'))
bad_locator('nul-only', '6.5', 'only NULs', payload=bytes(20))
bad_locator('device', '9.1', 'leads to a device',
            payload='\\dev\\zero'.encode('utf-16-le'))


@recipe('odd-name-unterminated', '3.1', 'the name fills its 256 characters',
        ro='either')
def _(w):
    w.child()
    vhd.edit_header(w.path, parent_name='n'.encode('utf-16-be') * 256)


@recipe('odd-name-invalid', '3.1', 'the name is no UTF-16; locators are right')
def _(w):
    w.child()
    vhd.edit_header(w.path, parent_name=b'\xdc\0\xd8\0\0a')


@recipe('odd-locator-space-sectors', '6.3', 'space counted in sectors')
def _(w):
    w.child(style='xo')
