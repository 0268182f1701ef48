# vhdkit: images that mean harm: refused clearly, quickly, in little memory
# SPDX-License-Identifier: BSD-3-Clause
"""test-hostile.py DIRECTORY"""

import json
import os
import random
import socket
import sys
import time

import nbd

import client
import generate
import recipes
import vhd

MiB = 1 << 20
directory = os.path.abspath(sys.argv[1])
failures = 0


def fail(what, problem):
    global failures
    failures += 1
    print('%s: %s' % (what, problem), flush=True)


def work(name):
    return recipes.Work(directory, name, 1)


def refused(what, path, *args, names=None, read_only=True):
    """It must be; the message names one of names, usually the file."""
    try:
        with client.Server('file=' + path, *args, read_only=read_only):
            fail(what, 'it is served')
    except client.Refused as e:
        problems = [e.problem(n) for n in names or [os.path.basename(path)]]
        if all(problems):
            fail(what, problems[0])
    except client.Failed as e:
        fail(what, e)


def tools(what, path, statuses=(0, 1, 2, 3)):
    """The commands that look at images answer: text without control
    characters, and JSON that is JSON."""
    try:
        for command in (['info'], ['info', '--no-resolve'], ['chain'],
                        ['map'], ['check']):
            a = client.Answer('vhdkit', *command, path)
            bad = [c for c in a.out + a.err if c < 32 and c not in b'\n\t' or c == 127]
            if bad:
                fail(what, 'vhdkit %s prints control characters %r' % (
                    ' '.join(command), bytes(bad)))
            if a.status and not a.err and command != ['check']:
                fail(what, 'vhdkit %s fails without a message' % command)
            if command == ['check'] and a.status not in statuses:
                fail(what, 'vhdkit check: status %d' % a.status)
        for command in ('info', 'check'):
            a = client.Answer('vhdkit', command, '--json', path)
            if a.status == 0 or a.out:
                json.loads(a.out)
    except (client.Failed, ValueError) as e:
        fail(what, e)


def loop(name, number):
    """Images that are each other's parents; returns the first's path."""
    w = work(name)
    ids = [w.id() for _ in range(number)]
    names = ['%s-%d.vhd' % (name, n) for n in range(number)]
    for n in range(number):
        up = (n + 1) % number
        vhd.new(vhd.DIFFERENCING, 5 * MiB, id=ids[n],
                parent=vhd.Footer(id=ids[up]),
                parent_name=names[up]).save(w.beside(names[n]))
    return w.beside(names[0])


def cycles():
    for number in (1, 2, 3, 20):
        path = loop('cycle%d' % number, number)
        refused('a cycle of %d' % number, path)
        tools('a cycle of %d' % number, path)
    for kind, link in (('symlink', os.symlink), ('hard', os.link)):
        w = work('self-' + kind)
        id_ = w.id()
        vhd.new(vhd.DIFFERENCING, 5 * MiB, id=id_, parent=vhd.Footer(id=id_),
                parent_name='link-%s.vhd' % kind).save(w.path)
        link(w.path, w.beside('link-%s.vhd' % kind))
        refused('its own parent by a %s link' % kind, w.path)
        tools('its own parent by a %s link' % kind, w.path)


def long_chain():
    folder = os.path.join(directory, 'long')
    os.mkdir(folder)
    w = recipes.Work(folder, 'long', 1)
    image = w.dynamic(w.beside('deep-0.vhd'), size=MiB, share=0)
    for n in range(1, 1001):
        image = w.child_unsaved(image, w.beside('deep-%d.vhd' % (n - 1)),
                                style='qemu', share=0)
        image.save(w.beside('deep-%d.vhd' % n))
    begin = time.monotonic()
    refused('a chain of 1000', w.beside('deep-1000.vhd'), names=['deep-'])
    print('a chain of 1000 is refused after %.2f s'
          % (time.monotonic() - begin))
    tools('a chain of 1000', w.beside('deep-1000.vhd'))


def huge_tables():
    """Tables that are inside the file, but far too large."""
    w = work('huge-table')
    image = w.unsaved(size=2040 << 30, style='qemu', share=0,
                      block_size=4096)
    image.header.entries = 16
    image.save(w.path)
    os.truncate(w.path, 20 << 30)
    vhd.patch(w.path, 20 << 30, image.footer.pack())
    for name, entries in (('most', 0xffffffff), ('needed', 2040 << 18)):
        vhd.edit_header(w.path, entries=entries)
        refused('a table with %s entries' % name, w.path)
        tools('a table with %s entries' % name, w.path)
    # The largest one that is read, all of it wrong: nothing is kept of the
    # entries but the table itself, of 64 MiB.
    vhd.edit_header(w.path, entries=16 << 20)
    vhd.edit_footers(w.path, size=64 << 30)
    with client.Server('file=' + w.path, read_only=True) as s:
        pass
    if s.max_rss > 128 * MiB and not client.SANITIZED:
        fail('a table of zeros', '%d MiB of memory' % (s.max_rss >> 20))


def special_files():
    w = work('special')
    fifo, folder, sock = [w.beside(n) for n in ('fifo.vhd', 'folder.vhd',
                                                'socket.vhd')]
    os.mkfifo(fifo)
    os.mkdir(folder)
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(directory)     # names of sockets must be short
        s.bind('socket.vhd')
        os.chdir(here)
    special = [fifo, folder, sock, '/dev/zero', '/dev/null', '/dev/tty',
               '/proc/self/mem', w.beside('not-there.vhd')]
    for path in special:
        for read_only in (True, False):
            refused(path, path, read_only=read_only)
        tools(path, path, (1,))
        image = w.child_unsaved(vhd.new(vhd.FIXED, 5 * MiB), w.path, share=0)
        image.locators = [vhd.text_locator('W2ku', path),
                          vhd.text_locator('MacX', 'file://' + path)]
        image.save(w.path)
        refused('the parent is ' + path, w.path)
        refused('raw parent ' + path, w.path, 'parent=raw:' + path)


def strange_names():
    w = work('strange')
    texts = {
        'newline': 'a\nb.vhd', 'escape': '\x1b[31m\x07\r.vhd',
        'quote': '"\\",}{.vhd', 'delete': 'a\x7f\x80\x9b.vhd',
        'reversed': 'a\u202e\u2028.vhd', 'surrogates': '\ud800x\udc00.vhd',
        'long': 'x' * 20000, 'dots': '..\\' * 300 + 'etc\\passwd',
        'nul': 'a\0b.vhd', 'slash': '/', 'empty': ''}
    for name, text in texts.items():
        image = w.child_unsaved(vhd.new(vhd.FIXED, 5 * MiB), w.path, share=0)
        image.header.parent_name = \
            text.encode('utf-16-be', 'surrogatepass')[:512]
        path = text.encode('utf-8', 'surrogatepass')
        image.locators = [
            vhd.text_locator('W2ru', text), vhd.text_locator('W2ku', text),
            vhd.Locator('MacX', b'file://' + path), vhd.Locator('MacX', path)]
        image.header.table_offset = 0x200000    # behind all locators
        image.save(w.path)
        refused('parent name with ' + name, w.path)
        tools('parent name with ' + name, w.path)
    # The image itself may have any name a file can have.
    for name in ('new\nline.vhd', 'esc\x1b[1m.vhd', ' -x.vhd', 'a=b.vhd'):
        path = w.beside(name)
        w.dynamic(path, share=0)
        tools('an image called %r' % name, path)
        try:
            with client.Server('file=' + path) as s:
                s.connect().shutdown()
        except (client.Failed, client.Refused, nbd.Error) as e:
            fail('an image called %r' % name, e)


def served_in_dir(folder, export, *args):
    """Is it, by dir=?"""
    with client.Server('dir=' + folder, *args, read_only=True) as s:
        try:
            h = s.connect(export)
            h.pread(512, 0)
            h.shutdown()
            return True
        except nbd.Error:
            return False


def confined():
    """In dir= mode nothing outside of the folder is reached."""
    if not client.have_openat2():
        print('skipped: no openat2 here')
        return
    folder, outside = [os.path.join(directory, n) for n in ('in', 'out')]
    os.makedirs(os.path.join(folder, 'sub'))
    os.mkdir(outside)
    w = recipes.Work(folder, 'confined', 1)
    base_path = os.path.join(outside, 'base.vhd')
    base = w.dynamic(base_path)
    inner = w.dynamic(os.path.join(folder, 'sub', 'inner.vhd'))
    os.symlink(base_path, w.beside('link.vhd'))
    os.symlink(outside, w.beside('folder'))

    def child(name, code, text, parent=base):
        image = w.child_unsaved(parent, w.path)
        image.header.parent_name = b''
        image.locators = [vhd.text_locator(code, text)]
        image.save(w.beside(name + '.vhd'))
        with client.Server('file=' + w.beside(name + '.vhd'),
                           read_only=True):
            pass                # so it is no error of ours
        return name + '.vhd'

    wrong = [
        child('up', 'W2ru', '..\\out\\base.vhd'),
        child('up2', 'W2ru', '.\\sub\\..\\..\\out\\base.vhd'),
        child('absolute', 'W2ku', base_path),
        child('url', 'MacX', 'file://localhost' + base_path),
        child('url-dots', 'MacX', 'file://./sub/../../out/base.vhd'),
        child('by-link', 'W2ru', '.\\link.vhd'),
        child('by-folder', 'W2ru', '.\\folder\\base.vhd'),
        'link.vhd', 'folder/base.vhd', '../out/base.vhd', base_path,
        'sub/../../out/base.vhd', '..', '.', '/', 'sub', '',
        './/../out/base.vhd', 'not-there.vhd', 'x' * 4000]
    right = [child('inside', 'W2ru', '.\\sub\\inner.vhd', inner),
             child('inside-dots', 'W2ru', '.\\sub\\..\\sub\\inner.vhd',
                   inner)]
    try:
        for export in wrong:
            if served_in_dir(folder, export):
                fail('dir=', 'export %r leads outside' % export[:80])
        for export in right:
            if not served_in_dir(folder, export):
                fail('dir=', 'export %r is not served' % export)
        if not served_in_dir(folder, 'up.vhd', 'search=' + outside):
            fail('dir=', 'a parent in a search= folder is not accepted')
        for path in ('in.fifo.vhd',):
            os.mkfifo(w.beside(path))
            if served_in_dir(folder, path):
                fail('dir=', 'a FIFO is served')
        with client.Server('dir=' + folder, read_only=True) as s:
            h = nbd.NBD()
            h.set_opt_mode(True)
            h.connect_unix(s.socket)
            found = []
            h.opt_list(lambda name, text: found.append(name))
            h.opt_abort()
            for name in right:
                if name not in found:
                    fail('dir=', '%s is not listed' % name)
    except (client.Failed, client.Refused, nbd.Error) as e:
        fail('dir=', e)


def cut_images():
    """Cut at every sector of the metadata."""
    w = work('cut')
    for style in ('win7', 'tap', 'win10'):
        image = w.child_unsaved(w.parent(), style=style, share=.5)
        image.save(w.path)
        end = min(e for e in image.table if e != vhd.UNUSED) * 512 + 2048
        step = 512 if end < 16384 else 4096
        with open(w.path, 'rb') as f:
            whole = f.read(end)
        for length in list(range(0, end, step)) + [511, 513, 1023, 1537]:
            with open(w.path, 'wb') as f:
                f.write(whole[:length])
            what = '%s cut at %d' % (style, length)
            look(what, w.path)


def look(what, path):
    """Cheaper than tools (): no crash, no hang."""
    for command in ('info', 'check'):
        try:
            client.Answer('vhdkit', command, path)
        except client.Failed as e:
            fail(what, e)


def flipped_images(number=120):
    """One byte of the metadata at the start, or of the footer, is another;
    also with checksums made right, so that the other checks are reached."""
    w = work('flipped')
    rng = random.Random(1)
    image = w.child_unsaved(w.parent(), style='tap', share=.5)
    image.save(w.path)
    length = os.path.getsize(w.path)
    with open(w.path, 'rb') as f:
        front = f.read(8192)
    for n in range(number):
        # Fields are where the bytes that matter are.
        at = rng.choice((rng.randrange(4096), rng.randrange(0x55),
                         0x200 + rng.randrange(0x40),
                         0x440 + rng.randrange(96), 0x600 + rng.randrange(64),
                         -512 + rng.randrange(0x60)))
        value = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        vhd.patch(w.path, at if at >= 0 else length + at, bytes([value]))
        if n % 2:
            if at < 512:
                vhd.edit_footers(w.path)
            else:
                vhd.edit_header(w.path)
        what = 'byte 0x%x is 0x%x%s' % (at, value, ', sums right' * (n % 2))
        look(what, w.path)
        if n % 4 == 1:
            try:
                with client.Server('file=' + w.path, read_only=True) as s:
                    h = s.connect()
                    try:
                        h.pread(min(h.get_size(), 4 * MiB), 0)
                    except nbd.Error:
                        pass    # damaged blocks
            except client.Refused:
                pass
            except (client.Failed, nbd.Error) as e:
                fail(what, e)
        vhd.patch(w.path, 0, front)
        vhd.patch(w.path, length - 512, front[:512])


def cut_while_served():
    """The file shrinks under the server: errors, not crashes."""
    for make in ('fixed', 'dynamic'):
        w = work('shrinking-' + make)
        getattr(w, make)()
        try:
            with client.Server('file=' + w.path, read_only=True) as s:
                h = s.connect()
                h.pread(4096, 0)
                os.truncate(w.path, 5000)
                lost = 0
                for at in range(0, h.get_size() - 4096, 1 << 18):
                    try:
                        h.pread(4096, at)
                    except nbd.Error:
                        lost += 1
                if lost == 0:
                    fail(w.name, 'reads what is no longer there')
                h.shutdown()
        except (client.Failed, client.Refused, nbd.Error) as e:
            fail(w.name, e)


def all_images():
    """The commands on every generated image: check finds good ones clean and
    damaged ones corrupt, and none upsets it."""
    folder = os.path.join(directory, 'all')
    for row in generate.generate(folder):
        name = row['file']
        statuses = (0, 1, 2, 3)
        if name.startswith('good-') and not row['options']:
            statuses = (0, 3) if name == 'good-gaps.vhd' else (0,)
        elif name.startswith('bad-'):
            statuses = (2,) if row['read-only'] == 'partial' else (1, 2)
        tools(name, os.path.join(folder, name), statuses)


PARTS = (cycles, long_chain, huge_tables, special_files, strange_names,
         confined, cut_images, cut_while_served, flipped_images, all_images)


def main():
    os.makedirs(directory, exist_ok=True)
    wanted = sys.argv[2:]
    for part in PARTS:
        if not wanted or part.__name__ in wanted:
            begin = time.monotonic()
            part()
            print('%s: %.1f s' % (part.__name__, time.monotonic() - begin),
                  flush=True)
    print('%d failures' % failures)
    sys.exit(failures != 0)


main()
