# vhdkit: serve every test image, compare with what its manifest says
# SPDX-License-Identifier: BSD-3-Clause
"""test-images.py DIRECTORY [PATTERN]"""

import hashlib
import os
import random
import shutil
import sys

import nbd

import client
import generate
import vhd
import writing

WRITES = 15


def server(directory, row, read_only):
    # Paths in options are relative to the images.
    args = []
    for option in row['options'].split():
        key, value = option.split('=')
        raw = 'raw:' if value.startswith('raw:') else ''
        if key in ('parent', 'search'):
            value = raw + os.path.join(directory, value.removeprefix(raw))
        args.append('%s=%s' % (key, value))
    return client.Server('file=' + os.path.join(directory, row['file']),
                         *args, read_only=read_only)


def paths(directory, row):
    names = [row['file']] + [p for p in row['parents'].split(',') if p]
    return [('raw:' if n.startswith('raw:') else '') +
            os.path.join(directory, n.removeprefix('raw:')) for n in names]


def state(directory, row):
    """Bytes and times of the files: reading changes none of them."""
    result = []
    for path in paths(directory, row):
        path = path.removeprefix('raw:')
        st = os.stat(path)
        digest = ''
        if st.st_size < 64 << 20:
            with open(path, 'rb') as f:
                digest = hashlib.sha256(f.read()).hexdigest()
        result.append((path, st.st_size, st.st_mtime_ns, digest))
    return result


def ranges(text):
    return [tuple(map(int, r.split('+'))) for r in text.split(',') if r]


def wrong_content(h, directory, row):
    """What differs from the manifest, or None."""
    if row['size'] and h.get_size() != int(row['size']):
        return 'size %d instead of %s' % (h.get_size(), row['size'])
    if row['sha256']:
        if client.sha256(h, ranges(row['damaged'])) != row['sha256']:
            return 'other content'
    elif row['size']:
        with vhd.Chain(*paths(directory, row)) as chain:
            return client.sample(h, chain, random.Random(row['file']))
    return None


def read_damaged(h, row):
    """Any answer will do, except no answer."""
    for offset, length in ranges(row['damaged']):
        for at in (offset, offset + length - 4096):
            try:
                h.pread(4096, at)
            except nbd.Error:
                pass


def wrong_when_written(h, s, directory, row):
    """What is wrong after random writes, served and in the file; or None."""
    rng = random.Random(row['file'])
    path, *parents = paths(directory, row)
    before_path = path + '.before'
    shutil.copyfile(path, before_path)
    payloads = not row['file'].startswith('odd-locator-')
    kept = writing.identity(path, payloads)
    with vhd.Chain(before_path, *parents) as before:
        writes = writing.random_writes(h, rng, WRITES)
        problem = writing.difference(lambda at, n: bytes(h.pread(n, at)),
                                     before, writes, rng)
        h.shutdown()
        s.stop()
        if problem:
            return problem + ' after writing'
        with vhd.Chain(path, *parents) as after:
            problem = writing.difference(after.read, before, writes, rng)
    os.remove(before_path)
    if problem:
        return problem + ' in the file, after writing'
    if writing.identity(path, payloads) != kept:
        return 'footer, header or locators changed when written'
    if writing.false_batmap(path) is not None:
        return 'batmap says block %d is full' % writing.false_batmap(path)
    return None


def wrong(directory, row, read_only):
    """What is wrong with how this image is treated, or None."""
    expected = row['read-only' if read_only else 'writable']
    before = state(directory, row)
    try:
        with server(directory, row, read_only) as s:
            h = s.connect_or_refuse()
            if expected == 'refuse':
                return 'it is served'
            problem = wrong_content(h, directory, row)
            if problem:
                return problem
            read_damaged(h, row)
            if not read_only and row['sha256'] and not row['damaged']:
                return wrong_when_written(h, s, directory, row)
        if read_only and state(directory, row) != before:
            return 'the file was changed by reading'
    except client.Refused as e:
        if expected in ('serve', 'partial'):
            return 'refused: %s' % e
        return e.problem(row['file'])
    except client.Failed as e:
        return e
    except nbd.Error as e:
        # What cannot be read rightly may also fail.
        return None if expected == 'either' and e.errno == 'EIO' else e
    return None


def main():
    directory = os.path.abspath(sys.argv[1])
    pattern = sys.argv[2] if len(sys.argv) > 2 else '*'
    rows = generate.generate(directory, pattern=pattern)
    failures = 0
    for row in rows:
        for read_only in (True, False):
            problem = wrong(directory, row, read_only)
            if problem:
                failures += 1
                print('%s (%s; section %s), %s: %s' % (
                    row['file'], row['what'], row['point'],
                    'read-only' if read_only else 'writable', problem),
                    flush=True)
    print('%d images, %d failures' % (len(rows), failures))
    sys.exit(failures != 0)


main()
