#!/bin/bash -
# vhdkit: every generated image is served rightly or refused clearly
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_plugin
requires_python_nbd

# The list in the README is the list of images.
"$python" $srcdir/images/generate.py --list |
    sed 's/^\([^:]*\): /- `\1`: /' >$tmp/list
grep '^- `' $srcdir/images/README.md >$tmp/readme
diff -u $tmp/readme $tmp/list || fail "images/README.md is not up to date"

"$python" $srcdir/test-images.py $tmp/images "$@"
