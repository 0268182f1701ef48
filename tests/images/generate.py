#!/usr/bin/env python3
# vhdkit: make the test images
# SPDX-License-Identifier: BSD-3-Clause
"""Make the images of good.py, odd.py and bad.py in a directory, and a table
of what each has to do: manifest.tsv.  The same seed makes the same images."""

import argparse
import fnmatch
import os
import sys

sys.dont_write_bytecode = True

import bad
import good
import odd
import recipes

COLUMNS = ('file', 'parents', 'read-only', 'writable', 'size', 'sha256',
           'damaged', 'options', 'point', 'what')


def make(directory, recipe, seed):
    """One image; returns its line of the table."""
    w = recipes.Work(directory, recipe.name, seed)
    recipe.write(w)
    if w.size is None and 'refuse' not in (recipe.ro, recipe.rw) \
       and not w.damaged:
        w.remember()
    parents = [os.path.relpath(p.removeprefix('raw:'), directory)
               for p in w.parents]
    if w.parents and w.parents[-1].startswith('raw:'):
        parents[-1] = 'raw:' + parents[-1]
    return (recipe.name + '.vhd', ','.join(parents), recipe.ro, recipe.rw,
            str(w.size or ''), w.sha256 or '',
            ','.join('%d+%d' % r for r in w.damaged), ' '.join(w.options),
            recipe.point, recipe.what)


def generate(directory, seed=1, pattern='*'):
    """All images whose name matches; returns the table as dictionaries."""
    os.makedirs(directory, exist_ok=True)
    lines = [make(directory, r, seed) for r in recipes.RECIPES.values()
             if fnmatch.fnmatch(r.name, pattern)]
    with open(os.path.join(directory, 'manifest.tsv'), 'w') as f:
        for line in [COLUMNS] + lines:
            f.write('\t'.join(field or '-' for field in line) + '\n')
    return read_manifest(directory)


def read_manifest(directory):
    with open(os.path.join(directory, 'manifest.tsv')) as f:
        lines = [line.rstrip('\n').split('\t') for line in f]
    return [dict(zip(COLUMNS, ['' if field == '-' else field
                               for field in line])) for line in lines[1:]]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('directory', nargs='?')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--only', default='*', metavar='PATTERN')
    p.add_argument('--list', action='store_true',
                   help='list the images instead, one line each')
    a = p.parse_args()
    if a.list:
        for r in recipes.RECIPES.values():
            print('%s: %s' % (r.name, r.what))
    elif a.directory:
        generate(a.directory, a.seed, a.only)
    else:
        p.error('a directory is needed')


if __name__ == '__main__':
    main()
