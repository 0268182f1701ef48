#!/bin/bash -
# -D vhd.io=1 logs every request; without it none is logged.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
vhdkit create a.vhd 4M
use='nbdsh --base-allocation -u "$uri" -c "
h.pwrite(bytes(10), 100, nbd.CMD_FLAG_FUA)
h.pread(10, 100)
h.zero(10, 100)
h.trim(10, 100)
h.cache(10, 100)
h.block_status(1000, 0, lambda *a: 0)
h.flush()
"'
serve -v -D vhd.io=1 vhd a.vhd --run "$use" >io.log 2>&1
for request in 'write offset=100 count=10 flags=0x2' 'read offset=100 count=10' \
               'zero offset=100' 'trim offset=100' 'cache offset=100' \
               'extents offset=0 count=1000' 'flush'; do
    assert_grep "io: $request" io.log
done
serve -v vhd a.vhd --run "$use" >plain.log 2>&1
if grep 'io: ' plain.log; then fail 'requests are logged without the flag'; fi
assert_grep 'opened .*a.vhd' plain.log
assert_grep 'closed .*a.vhd' plain.log
