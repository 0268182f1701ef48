# vhdkit: real images: their content, and writing to copies of them
# SPDX-License-Identifier: BSD-3-Clause
"""test-corpus.py CORPUS DIRECTORY: CORPUS/manifest.tsv lists the images and
the hash of their content; they are unpacked into DIRECTORY."""

import lzma
import os
import random
import shutil
import subprocess
import sys
import threading

import nbd

import client
import vhd
import writing

WRITES = 60
failures = 0


def fail(name, problem):
    global failures
    failures += 1
    print('%s: %s' % (name, problem), flush=True)


def unpack(corpus, directory):
    """All of vhd/ beside each other, names without .xz."""
    for name in os.listdir(os.path.join(corpus, 'vhd')):
        source = os.path.join(corpus, 'vhd', name)
        opener = lzma.open if name.endswith('.xz') else open
        target = os.path.join(directory, name.removesuffix('.xz'))
        with opener(source, 'rb') as f, open(target, 'wb') as out:
            shutil.copyfileobj(f, out)


def rows(corpus):
    plain = lambda n: os.path.basename(n).removesuffix('.xz')
    with open(os.path.join(corpus, 'manifest.tsv')) as f:
        for line in f:
            name, kind, size, digest, parent, expect = \
                line.rstrip('\n').split('\t')[:6]
            if name.startswith('vhd/'):
                yield (plain(name), kind, int(size), digest,
                       '' if parent == '-' else plain(parent), expect)


def compare_content(name, content, digest):
    if client.sha256_of_content(content) != digest:
        fail(name, 'other content by extents')


def check_content(path, size, digest, expect):
    """Returns whether it is served."""
    name = os.path.basename(path)
    try:
        with client.Server('file=' + path, read_only=True) as s:
            h = s.connect()
            if h.get_size() != size:
                fail(name, 'size %d instead of %d' % (h.get_size(), size))
            elif size < 1 << 30 and client.sha256(h) != digest:
                fail(name, 'other content')
            content = list(client.content_by_extents(h))
        # The zeros of a large disk take a minute: beside all the rest.
        thread = threading.Thread(target=compare_content,
                                  args=(name, content, digest))
        thread.start()
        if size < 1 << 30:
            thread.join()
        return True
    except client.Refused as e:
        if expect == 'ok':
            fail(name, 'refused: %s' % e)
        elif e.problem(name):
            fail(name, e.problem(name))
    except (client.Failed, nbd.Error) as e:
        fail(name, '%s: %s' % (type(e).__name__, e))
    return False


def tools_agree(path, kind):
    """What others say of what we have written."""
    name = os.path.basename(path)

    def run(*command):
        p = subprocess.run(command, capture_output=True, text=True)
        if p.returncode != 0:
            fail(name, '%s: %s%s' % (' '.join(command), p.stdout, p.stderr))

    run('vhdkit', 'check', path)
    if kind == 'diff':
        return
    option = 'driver=vpc,force_size_calc=current_size,' \
        'file.driver=file,file.filename=' + path
    if kind == 'dyn' and shutil.which('7z'):
        with vhd.Layer(path) as layer:
            exact = len(layer.table) == layer.header.entries
        if exact and layer.footer.size < 1 << 30:
            run('7z', 't', '-tVHD', path)
    p = subprocess.run(
        ['nbdkit', '-U', '-', '-r', 'vhd', 'file=' + path, '--run',
         'qemu-img compare --image-opts %s driver=nbd,server.type=unix,'
         'server.path=$unixsocket' % option], capture_output=True, text=True)
    if p.returncode != 0:
        fail(name, 'qemu-img compare: %s%s' % (p.stdout, p.stderr))


def check_writing(directory, name, kind, parent, rng):
    copy = os.path.join(directory, 'written-' + name)
    shutil.copy(os.path.join(directory, name), copy)
    parents = [os.path.join(directory, parent)] if parent else []
    kept = writing.identity(copy)

    def compare(read, what):
        problem = writing.difference(read, before, writes, rng)
        if problem:
            fail(name, '%s %s' % (problem, what))

    with vhd.Chain(os.path.join(directory, name), *parents) as before:
        try:
            with client.Server('file=' + copy) as s:
                h = s.connect_or_refuse()
                writes = writing.random_writes(h, rng, WRITES)
                compare(lambda at, n: bytes(h.pread(n, at)), 'after writing')
                h.flush()
                writes += writing.random_writes(h, rng, WRITES)
        except (client.Refused, client.Failed, nbd.Error) as e:
            fail(name, 'writing: %s: %s' % (type(e).__name__, e))
            return
        with vhd.Chain(copy, *parents) as after:
            compare(after.read, 'in the file')
    if writing.identity(copy) != kept:
        fail(name, 'footer, header or locators have changed')
    with vhd.Layer(copy) as layer:
        if layer.table and layer.at(0, 512) != layer.at(layer.length - 512,
                                                        512):
            fail(name, 'the footers differ')
    tools_agree(copy, kind)
    os.remove(copy)


def main():
    corpus, directory = sys.argv[1:3]
    os.makedirs(directory, exist_ok=True)
    unpack(corpus, directory)
    images = list(rows(corpus))
    if not images:
        sys.exit('no images in %s/manifest.tsv' % corpus)
    for name, kind, size, digest, parent, expect in images:
        path = os.path.join(directory, name)
        if check_content(path, size, digest, expect) and expect == 'ok':
            check_writing(directory, name, kind, parent, random.Random(name))
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    print('%d images, %d failures' % (len(images), failures))
    sys.exit(failures != 0)


main()
