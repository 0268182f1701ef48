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

# An image in pieces, as Virtual PC once made them: which it is, and joined it
# is an image.
vhdkit create -t fixed whole.vhd 4M
split -b 1500000 -d -a 2 whole.vhd piece.v
mv piece.v00 piece.vhd
assert_fails nbdkit -U - vhd piece.vhd --run true
assert_grep 'piece\.vhd: .*piece\.v01.* join them' stderr
status=0
vhdkit check piece.vhd 2>err || status=$?
assert_equal $status 1 'status of check'
assert_grep 'join them' err
cat piece.vhd piece.v01 piece.v02 >joined.vhd
cmp joined.vhd whole.vhd
assert_equal "$(serve vhd joined.vhd --run 'nbdinfo --size "$uri"')" 4194304
rm piece.v01
assert_fails nbdkit -U - vhd piece.vhd --run true
if grep 'join them' stderr; then fail 'there are no pieces'; fi

# The first piece of a dynamic one has a copy of the footer.
vhdkit create pieces.vhd 4M
dd if=/dev/urandom of=random bs=1M count=4 status=none
serve vhd pieces.vhd --run 'nbdcopy random "$uri"'
split -b 3000000 -d -a 2 pieces.vhd pieces.V
mv pieces.V00 pieces.vhd
serve -r vhd pieces.vhd --run true 2>err
assert_grep 'warning: .*pieces\.vhd: .*pieces\.V01.* join them' err
vhdkit check pieces.vhd >out 2>err || status=$?
assert_equal $status 2 'status of check'
assert_grep '^WARNING pieces\.vhd: .*join them' out
