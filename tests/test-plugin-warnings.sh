#!/bin/bash -
# Something odd that does not keep an image from being served is told on the
# terminal when the server starts, and the image is served.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin

cd "$tmp"
base_image base.vhd 6M
child_image child.vhd base.vhd
serve vhd child.vhd --run 'nbdinfo --size "$uri"' >out 2>quiet.log
[ ! -s quiet.log ] || fail 'a healthy image gives warnings'

# The trailing footer is damaged: the copy at the start still serves.
python3 - base.vhd <<'END'
import os, sys, vhd
vhd.patch(sys.argv[1], -512 + 100, b'damaged')
END
before=$(sha256sum <base.vhd)
serve vhd child.vhd --run 'nbdinfo --size "$uri"' >out 2>warnings.log
assert_equal "$(cat out)" 6291456
assert_grep 'warning: .*base\.vhd: .*footer' warnings.log
assert_equal "$(sha256sum <base.vhd)" "$before" 'the parent'
