#!/bin/bash -
# What is no image does not start a server: the message is on the terminal,
# and nothing hangs.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin

cd "$tmp"
mkdir directory
mkfifo fifo
: >empty
truncate -s 1M zeroes
echo text >text
vhdkit create good.vhd 4M
head -c 1000 good.vhd >short.vhd
# The parent goes away.
child_image orphan.vhd good.vhd
mv good.vhd elsewhere.vhd

for f in nothing directory fifo empty zeroes text short.vhd orphan.vhd; do
    assert_fails timeout 20 nbdkit -U - vhd "$f" --run true
    assert_grep "$f" stderr
done
# Every place where the parent was looked for is named.
assert_grep 'good\.vhd' stderr

# It is found where the operator says it is.
mkdir parents
mv elsewhere.vhd parents/good.vhd
for how in parent=parents/good.vhd search=parents; do
    assert_equal "$(serve vhd orphan.vhd $how \
                        --run 'nbdinfo --size "$uri"')" 4194304
done
