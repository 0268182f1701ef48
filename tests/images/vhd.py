# vhdkit: the VHD format in Python, for tests
# SPDX-License-Identifier: BSD-3-Clause
"""A second, independent implementation of the VHD format.

It writes images in the style of each program that is known to make them, and
reads chains of them slowly and plainly: what read () returns is what vhdkit
has to serve.  It shares nothing with lib/, on purpose: an error made there is
not repeated here.  It validates nothing; it is only given what generate.py
made, or images that are known to be good.

Numbers in comments refer to the sections of the format notes.
"""

import hashlib
import os
import struct
from dataclasses import dataclass, field, replace

SECTOR = 512
UNUSED = 0xffffffff             # a block table entry without a block
NOWHERE = 0xffffffffffffffff    # a data or next offset that is not used
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
MAX_SIZE = 2040 << 30
CODES = {'W2ru': 0x57327275, 'W2ku': 0x57326b75, 'Wi2r': 0x57693272,
         'Wi2k': 0x5769326b, 'Mac ': 0x4d616320, 'MacX': 0x4d616358}


def round_up(n, unit):
    return -(-n // unit) * unit


def checksum(data, at):
    """Complement of the byte sum, the four bytes at `at` taken as zero."""
    return ~(sum(data) - sum(data[at:at + 4])) & 0xffffffff


def geometry(size):
    """Cylinders, heads, sectors per track (2.1)."""
    n = min(size // SECTOR, 65535 * 16 * 255)
    if n >= 65535 * 16 * 63:
        s, h = 255, 16
        t = n // s
    else:
        s = 17
        t = n // s
        h = max(4, -(-t // 1024))
        if t >= 1024 * h or h > 16:
            s, h = 31, 16
            t = n // s
        if t >= 1024 * h:
            s, h = 63, 16
            t = n // s
    return t // h, h, s


def bitmap_bytes(block_size):
    return round_up(-(-(block_size // SECTOR) // 8), SECTOR)


@dataclass
class Footer:
    """The 512 bytes at the end (1.1); checksum None: the right one."""
    kind: int = DYNAMIC
    size: int = 0
    original_size: int = None
    cookie: bytes = b'conectix'
    features: int = 2
    version: int = 0x10000
    data_offset: int = NOWHERE
    timestamp: int = 0x10000000
    creator: bytes = b'win '
    creator_version: tuple = (10, 0)
    creator_os: bytes = b'Wi2k'
    chs: tuple = None
    checksum: int = None
    id: bytes = bytes(16)
    saved_state: int = 0
    hidden: int = 0
    reserved: bytes = bytes(426)

    FORMAT = '>8sIIQI4sHH4sQQHBBII16sBB426s'

    def pack(self):
        original = self.size if self.original_size is None \
            else self.original_size
        def encode(sum_):
            return struct.pack(
                self.FORMAT, self.cookie, self.features, self.version,
                self.data_offset, self.timestamp, self.creator,
                *self.creator_version, self.creator_os, original, self.size,
                *(self.chs or geometry(self.size)), self.kind, sum_, self.id,
                self.saved_state, self.hidden, self.reserved)
        sum_ = self.checksum
        return encode(checksum(encode(0), 64) if sum_ is None else sum_)

    @classmethod
    def unpack(cls, data):
        f = struct.unpack(cls.FORMAT, data)
        return cls(cookie=f[0], features=f[1], version=f[2], data_offset=f[3],
                   timestamp=f[4], creator=f[5], creator_version=f[6:8],
                   creator_os=f[8], original_size=f[9], size=f[10],
                   chs=f[11:14], kind=f[14], checksum=f[15], id=f[16],
                   saved_state=f[17], hidden=f[18], reserved=f[19])

    def sound(self):
        """Cookie and checksum are right; byte 0x55 may be outside the sum
        in images of the first versions of tap (1.2)."""
        if self.cookie != b'conectix':
            return False
        sums = [replace(self, checksum=None)]
        if self.creator[:3] == b'tap' and \
           self.creator_version in ((0, 1), (1, 1)):
            sums.append(replace(self, checksum=None, hidden=0))
        return self.checksum in (checksum(s.pack(), 64) for s in sums)


@dataclass
class Locator:
    """Where the parent is, in one of the notations of 6.3.  space is in bytes
    unless unit says how many bytes it counts."""
    code: str
    payload: bytes
    space: int = None           # None: what the payload needs
    unit: int = 1
    offset: int = None          # None: where there is room
    length: int = None          # None: the payload's
    slot: int = None            # None: the next one

    def room(self):
        return self.space or round_up(max(len(self.payload), 1), SECTOR)

    def pack(self):
        code = CODES.get(self.code, 0)
        if isinstance(self.code, int):
            code = self.code
        length = len(self.payload) if self.length is None else self.length
        return struct.pack('>IIIIQ', code, self.room() // self.unit, length,
                           0, self.offset)


def text_locator(code, path, **more):
    """A locator for path in the encoding of its code."""
    if code in ('W2ru', 'W2ku'):
        return Locator(code, path.encode('utf-16-le', 'surrogatepass'), **more)
    return Locator(code, path.encode(), **more)


@dataclass
class Header:
    """The 1024 bytes of a dynamic or differencing image (3.1)."""
    entries: int = 0
    block_size: int = 2 << 20
    table_offset: int = 0x600
    cookie: bytes = b'cxsparse'
    next_offset: int = NOWHERE
    version: int = 0x10000
    checksum: int = None
    parent_id: bytes = bytes(16)
    parent_timestamp: int = 0
    reserved1: int = 0
    parent_name: bytes = b''
    locators: bytes = bytes(8 * 24)
    reserved2: bytes = bytes(256)

    FORMAT = '>8sQQIIII16sII512s192s256s'

    def pack(self):
        def encode(sum_):
            return struct.pack(
                self.FORMAT, self.cookie, self.next_offset, self.table_offset,
                self.version, self.entries, self.block_size, sum_,
                self.parent_id, self.parent_timestamp, self.reserved1,
                self.parent_name, self.locators, self.reserved2)
        sum_ = self.checksum
        return encode(checksum(encode(0), 36) if sum_ is None else sum_)

    @classmethod
    def unpack(cls, data):
        f = struct.unpack(cls.FORMAT, data)
        return cls(cookie=f[0], next_offset=f[1], table_offset=f[2],
                   version=f[3], entries=f[4], block_size=f[5], checksum=f[6],
                   parent_id=f[7], parent_timestamp=f[8], reserved1=f[9],
                   parent_name=f[10], locators=f[11], reserved2=f[12])


@dataclass
class Style:
    """How one program lays images out (1.4, 3.3, 4.2, 4.3, 6.4, 10.4)."""
    creator: bytes
    version: tuple
    os: bytes = b'Wi2k'
    table_offset: int = 0x600
    fill: int = 0xff            # of the table's padding
    table_align: int = SECTOR   # where the padding ends
    spare: int = 0              # unused bytes after the table
    data_align: int = SECTOR    # of the data of each block
    footer_align: bool = False  # footer in the last sector of a page
    full_bitmaps: bool = True
    batmap: bool = False
    codes: tuple = ('W2ku', 'W2ru')
    unit: int = 1               # what a locator's space counts
    slots: tuple = (0, 1, 2)
    full_name: bool = False     # header holds the whole path
    max_chs: bool = False


STYLES = {
    'qemu': Style(b'qemu', (5, 3)),
    'qem2': Style(b'qem2', (5, 3), max_chs=True),
    'vpc': Style(b'vpc ', (1, 0), spare=SECTOR),
    'vs': Style(b'vs  ', (1, 0), spare=SECTOR),
    'win7': Style(b'win ', (6, 1)),
    'win8': Style(b'win ', (6, 3), table_align=4096, data_align=4096,
                  footer_align=True, full_name=True),
    'win10': Style(b'win ', (10, 0), table_align=4096, data_align=4096,
                   footer_align=True, full_name=True),
    'd2v': Style(b'd2v\0', (1, 0), fill=0, max_chs=True),
    'vbox': Style(b'vbox', (4, 3), fill=0, full_bitmaps=False),
    'tap': Style(b'tap\0', (1, 3), bytes(4), fill=0, data_align=4096,
                 full_bitmaps=False, batmap=True,
                 codes=('MacX', 'W2ku', 'W2ru')),
    'ctxs': Style(b'CTXS', (1, 0)),
    'wa': Style(b'wa\0\0', (10, 0)),
    'mkimg': Style(b'*img', (2, 0), b'FBSD'),
    'dutl': Style(b'dutl', (0, 7), full_bitmaps=False, slots=(7, 6)),
    'caml': Style(b'caml', (0, 1), bytes(4), table_offset=0x800,
                  full_bitmaps=False, unit=SECTOR, codes=('MacX', 'W2ru')),
    'xo': Style(b'xo  ', (0, 1), full_bitmaps=False, unit=SECTOR,
                codes=('W2ku',)),
}


@dataclass
class Block:
    """What one block holds.  bitmap: None means all ones; what is missing of
    it is zero.  data: from the start of the block; what is missing stays a
    hole in the file."""
    data: bytes = b''
    bitmap: bytes = None
    gap: int = 0                # unused bytes in front


def bits(sectors, count):
    """A bitmap in which the given sector numbers are set."""
    b = bytearray(-(-count // 8))
    for s in sectors:
        b[s >> 3] |= 0x80 >> (s & 7)
    return bytes(b)


@dataclass
class Image:
    """An image to be written."""
    footer: Footer
    header: Header = None
    style: Style = None
    blocks: dict = field(default_factory=dict)  # number -> Block
    order: list = None          # in which they lie in the file
    locators: list = field(default_factory=list)
    content: bytes = b''        # of a fixed image
    header_offset: int = 0x200
    end_footer: bytes = None    # instead of the right one
    footer_bytes: int = 512     # 511: as before Virtual PC 2004
    batmap: bytes = None        # header and map instead of the right ones
    table: list = None          # after save (): the entries

    def save(self, path):
        with open(path, 'wb') as f:
            if self.footer.kind == FIXED:
                self._save_fixed(f)
            else:
                self._save_blocks(f)

    def _save_fixed(self, f):
        f.write(self.content)
        f.truncate(self.footer.size)
        self._end(f, self.footer.size)

    def _save_blocks(self, f):
        h = self.header
        self.footer.data_offset = self.header_offset
        end = max(self._place_metadata(f), self.header_offset + 1024)
        self.table, end = self._place_blocks(f, end)
        if self.style.batmap or self.batmap:
            self._write_batmap(f)
        f.seek(0)
        f.write(self.footer.pack())
        f.seek(self.header_offset)
        f.write(h.pack())
        f.seek(h.table_offset)
        f.write(struct.pack('>%dI' % h.entries, *self.table))
        if self.style.footer_align:
            end = round_up(end + SECTOR, 4096) - SECTOR
        self._end(f, end)

    def _end(self, f, offset):
        f.truncate(offset)
        f.seek(offset)
        last = self.footer.pack() if self.end_footer is None \
            else self.end_footer
        f.write(last[:self.footer_bytes])

    def _place_metadata(self, f):
        """Table, batmap, locators; returns where they end."""
        h, st = self.header, self.style
        if h.table_offset is None:
            h.table_offset = st.table_offset
        end = round_up(h.table_offset + 4 * h.entries, st.table_align)
        pad = end - h.table_offset - 4 * h.entries
        f.seek(end - pad)
        f.write(bytes([st.fill]) * pad)
        if st.batmap:
            end += SECTOR + round_up(-(-h.entries // 8), SECTOR)
        end += st.spare
        slots = bytearray(8 * 24)
        for number, loc in enumerate(self.locators):
            if loc.offset is None:
                loc.offset = end
            end = max(end, loc.offset + round_up(loc.room(), SECTOR))
            f.seek(loc.offset)
            f.write(loc.payload)
            slot = number if loc.slot is None else loc.slot
            slots[slot * 24:slot * 24 + 24] = loc.pack()
        h.locators = bytes(slots)
        return end

    def _place_blocks(self, f, end):
        h, st = self.header, self.style
        table = [UNUSED] * h.entries
        map_size = bitmap_bytes(h.block_size)
        for number in self.order or sorted(self.blocks):
            block = self.blocks[number]
            start = end + block.gap
            start = round_up(start + map_size, st.data_align) - map_size
            bitmap = block.bitmap
            if bitmap is None:
                bitmap = b'\xff' * map_size
            f.seek(start)
            f.write(bitmap.ljust(map_size, b'\0'))
            f.write(block.data)
            table[number] = start // SECTOR
            end = start + map_size + h.block_size
        return table, end

    def _write_batmap(self, f):
        """Bit i set: block i is allocated and its bitmap all ones (7.1)."""
        h = self.header
        at = round_up(h.table_offset + 4 * h.entries, SECTOR)
        size = round_up(-(-h.entries // 8), SECTOR)
        full = [n for n, b in self.blocks.items()
                if b.bitmap is None or
                b.bitmap.count(b'\xff') * 8 * SECTOR == h.block_size]
        map_ = bits(full, size * 8)
        head = struct.pack('>8sQIIIBB', b'tdbatmap', at + SECTOR,
                           size // SECTOR, 0x10002,
                           ~sum(map_) & 0xffffffff, 0, 0)
        f.seek(at)
        f.write(self.batmap or head.ljust(SECTOR, b'\0') + map_)


def windows_path(name):
    return 'C:\\Images\\' + name.replace('/', '\\')


def new(kind, size, style='win10', block_size=2 << 20, id=bytes(16),
        parent=None, parent_name=None, entries=None, **footer):
    """An Image as the program called style would make it, yet without blocks.
    parent: the Footer of the parent, parent_name: its path from here."""
    st = STYLES[style]
    chs = (65535, 16, 255) if st.max_chs else None
    f = Footer(kind=kind, size=size, creator=st.creator, id=id,
               creator_version=st.version, creator_os=st.os, chs=chs)
    f = replace(f, **footer)
    if kind == FIXED:
        return Image(f, style=st)
    h = Header(entries=-(-size // block_size) if entries is None else entries,
               block_size=block_size, table_offset=st.table_offset)
    image = Image(f, h, st)
    if kind == DIFFERENCING:
        h.parent_id = parent.id
        name_parent(image, parent_name)
    return image


def name_parent(image, name):
    """Header name and locators in the manner of the image's style (6.4)."""
    st = image.style
    plain = name.replace('\\', '/').split('/')[-1]
    stored = windows_path(plain) if st.full_name else plain
    image.header.parent_name = \
        stored.encode('utf-16-be', 'surrogatepass')[:510]
    relative = name.replace('/', '\\')
    if not relative.startswith('..\\'):
        relative = '.\\' + relative
    paths = {'W2ru': relative, 'W2ku': windows_path(plain),
             'MacX': 'file://./' + name}
    if st.creator[:3] == b'tap':
        paths['W2ku'] = relative
    image.locators = [
        text_locator(code, paths[code], unit=st.unit, slot=slot)
        for code, slot in zip(st.codes, st.slots)]
    if st.footer_align:         # the places that Windows 10 uses
        image.header.table_offset = 0x2000
        for loc in image.locators:
            loc.offset, loc.space = (0x1000, 4096) if loc.code == 'W2ku' \
                else (round_up(0x2000 + 4 * image.header.entries, 4096), 65536)


# Reading

class Layer:
    """One file, opened for reading."""

    def __init__(self, path, raw=False):
        self.path = path
        self.file = open(path, 'rb')
        self.length = os.fstat(self.file.fileno()).st_size
        self.header = self.table = None
        if raw:
            self.footer = Footer(kind=FIXED, size=self.length)
            return
        self.footer = self._find_footer()
        if self.footer.kind != FIXED:
            self._load_table()

    def at(self, offset, count):
        self.file.seek(offset)
        return self.file.read(count)

    def _find_footer(self):
        """The one at the end; without it the copy at the start (1.5)."""
        places = [self.length - 512, 0]
        if self.length % SECTOR == 511:
            places.insert(0, self.length - 511)
        for offset in places:
            data = self.at(offset, 512)
            if len(data) < 511:
                continue
            f = Footer.unpack(data.ljust(512, b'\0'))
            if f.sound() and (offset > 0 or f.kind != FIXED):
                return f
        raise ValueError('%s: no footer' % self.path)

    def _load_table(self):
        self.header = Header.unpack(self.at(self.footer.data_offset, 1024))
        need = -(-self.footer.size // self.header.block_size)
        self.table = struct.unpack(
            '>%dI' % need, self.at(self.header.table_offset, 4 * need))

    def locator(self, slot):
        """The payload of a parent locator."""
        _, _, length, _, offset = struct.unpack(
            '>IIIIQ', self.header.locators[slot * 24:slot * 24 + 24])
        return self.at(offset, min(length, 65536)) \
            if offset < self.length else b''

    def batmap(self):
        """The blocks that a valid batmap says are full (7.1)."""
        if self.table is None or self.footer.creator[:3] != b'tap':
            return []
        h = self.header
        data = self.at(round_up(h.table_offset + 4 * h.entries, SECTOR), 28)
        if len(data) < 28 or data[:8] != b'tdbatmap':
            return []
        offset, sectors, _, sum_ = struct.unpack('>QIII', data[8:])
        if offset > self.length or sectors > 65536:
            return []
        map_ = self.at(offset, sectors * SECTOR)
        if ~sum(map_) & 0xffffffff != sum_:
            return []
        return [n for n in range(len(map_) * 8)
                if map_[n >> 3] & 0x80 >> (n & 7)]

    def overlay(self, buf, offset):
        """Put what this layer holds of the disk from offset on over buf,
        which has what the parents hold there."""
        inside = max(0, min(len(buf), self.footer.size - offset))
        buf[inside:] = bytes(len(buf) - inside)
        if inside == 0:
            return
        if self.table is None:
            buf[:inside] = self.at(offset, inside)
            return
        if self.footer.kind == DYNAMIC:
            buf[:inside] = bytes(inside)
        size = self.header.block_size
        for number in range(offset // size, -(-(offset + inside) // size)):
            if self.table[number] != UNUSED:
                self._overlay_block(buf, offset, inside, number)

    def _overlay_block(self, buf, offset, inside, number):
        size = self.header.block_size
        start = self.table[number] * SECTOR
        map_size = bitmap_bytes(size)
        bitmap = self.at(start, map_size)
        first = max(offset, number * size)
        last = min(offset + inside, (number + 1) * size)
        data = self.at(start + map_size + first - number * size,
                        last - first)
        data = data.ljust(last - first, b'\0')    # a short last block
        if bitmap == b'\xff' * map_size:
            buf[first - offset:last - offset] = data
            return
        for s in range(first // SECTOR * SECTOR, last, SECTOR):
            n = (s - number * size) // SECTOR
            if bitmap[n >> 3] & 0x80 >> (n & 7):
                a, b = max(s, first), min(s + SECTOR, last)
                buf[a - offset:b - offset] = data[a - first:b - first]

    def close(self):
        self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Chain:
    """A disk: the files of its layers, the image itself first.  A last name
    that begins with raw: is a plain file."""

    def __init__(self, *paths):
        self.layers = [Layer(p[4:], True) if p.startswith('raw:') else
                       Layer(p) for p in paths]
        self.size = self.layers[0].footer.size

    def read(self, offset, count):
        buf = bytearray(count)
        for layer in reversed(self.layers):
            layer.overlay(buf, offset)
        return bytes(buf)

    def sha256(self, without=()):
        """Of the content, less the ranges (offset, length) in without."""
        digest = hashlib.sha256()
        for offset, length in remaining(self.size, without):
            digest.update(self.read(offset, length))
        return digest.hexdigest()

    def close(self):
        for layer in self.layers:
            layer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def remaining(size, without=(), piece=1 << 20):
    """The ranges of a disk that without leaves, in pieces."""
    at = 0
    for offset, length in sorted(without) + [(size, 0)]:
        while at < offset:
            n = min(piece, offset - at)
            yield at, n
            at += n
        at = max(at, offset + length)


# Changing what has been written

def patch(path, offset, data):
    with open(path, 'r+b') as f:
        f.seek(offset if offset >= 0 else os.path.getsize(path) + offset)
        f.write(data)


def _edit_footer_at(path, offset, changes):
    with open(path, 'r+b') as f:
        f.seek(offset)
        old = Footer.unpack(f.read(512))
        f.seek(offset)
        f.write(replace(old, **{'checksum': None, **changes}).pack())


def edit_footers(path, front=True, end=True, **changes):
    """Change fields of both footers, or of one; the checksum follows unless
    it is among the changes."""
    if front:
        _edit_footer_at(path, 0, changes)
    if end:
        _edit_footer_at(path, os.path.getsize(path) - 512, changes)


def edit_header(path, offset=0x200, **changes):
    with open(path, 'r+b') as f:
        f.seek(offset)
        old = Header.unpack(f.read(1024))
        f.seek(offset)
        f.write(replace(old, **{'checksum': None, **changes}).pack())


def edit_entry(path, number, value):
    """Change one entry of the block table."""
    with Layer(path) as layer:
        at = layer.header.table_offset + 4 * number
    patch(path, at, struct.pack('>I', value))
