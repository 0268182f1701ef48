#!/bin/bash -
# vhdkit map: exact to the sector, the same as qemu-img where qemu-img knows,
# and fast.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires_plugin
requires jq --version
requires qemu-img --version
requires qemu-io --version
cd "$tmp"

# Neighbours that say the same, put together: two programs may cut a range at
# different places.  Also without "offset" and "depth", for maps made through
# NBD, where there is none.
merged='reduce .[] as $e ([];
    if length > 0 and .[-1].zero == $e.zero and .[-1].data == $e.data and
       (.[-1].offset == null) == ($e.offset == null) and
       (.[-1].offset == null or
        .[-1].offset + .[-1].length == $e.offset)
    then .[-1].length += $e.length else . + [$e] end)'
plain="map({start, length, zero, data, offset}) | $merged"
through_nbd="map({start, length, zero, data}) | $merged"

# qemu-img map reads the same dynamic image.  It takes a block as a whole, so
# these are written whole.
qemu-img create -q -f vpc -o force_size=on qemu.vhd 40M
qemu-io -f vpc -c 'write -P 1 4M 2M' -c 'write -P 2 20M 6M' \
        -c 'write -P 3 10M 2M' qemu.vhd >/dev/null
vhdkit map --json qemu.vhd >ours
qemu-img map -f vpc --output=json qemu.vhd >theirs
assert_equal "$(jq -c "$plain" ours)" "$(jq -c "$plain" theirs)" \
             "map of qemu's image"
jq -e 'all(.compressed == false and .depth == 0)' ours >/dev/null

# We say that the unwritten rest of a block is a hole, where the file system can
# tell.
vhdkit create part.vhd 8M
start_nbdkit part vhd part.vhd
qemu-io -f raw -c 'write -P 1 2M 64k' "$(uri part)" >/dev/null
stop_nbdkit part
vhdkit map --json part.vhd >ours
if [ "$(stat -c %b part.vhd)" -lt 2048 ]; then
    assert_equal "$(jq -c 'map(select(.data)) | map([.start, .length])' ours)" \
                 '[[2097152,65536]]' "data of a block written in part"
fi

# A chain: qemu-img map through NBD, where it sees zeros and holes of all
# layers together.
vhdkit create -t fixed base.vhd 8M
vhdkit create -B base.vhd middle.vhd
vhdkit create -B middle.vhd -b 512K top.vhd
# write FILE COMMANDS...: of qemu-io.
write ()
{
    local file=$1 args=() command
    shift
    for command in "$@"; do args+=(-c "$command"); done
    start_nbdkit writer vhd "$file"
    qemu-io -f raw "${args[@]}" "$(uri writer)" >/dev/null
    stop_nbdkit writer
}
write base.vhd 'write -P 97 1M 3M'
write middle.vhd 'write -P 98 2097664 512'
write top.vhd 'write -P 99 2101248 4096' 'write -z 3M 64k'
vhdkit map --json top.vhd >ours
# Only the extents of the whole matter: fixed images have holes of the file.
start_nbdkit reader -r vhd top.vhd
qemu-img map -f raw --output=json "$(uri reader)" >theirs
stop_nbdkit reader
assert_equal "$(jq -c "$through_nbd" ours)" \
             "$(jq -c "$through_nbd" theirs)" "map of a chain"

# Who owns what, sector by sector.
owner ()
{
    jq -r ".[] | select(.start <= $1 and .start + .length > $1) | .layer" ours
}
m=1048576
assert_equal "$(owner $((2 * m)))" 2 "layer at 2 MiB"
assert_equal "$(owner $((2 * m + 511)))" 2
assert_equal "$(owner $((2 * m + 512)))" 1
assert_equal "$(owner $((2 * m + 1023)))" 1
assert_equal "$(owner $((2 * m + 1024)))" 2
assert_equal "$(owner $((2 * m + 4096)))" 0
assert_equal "$(owner $((2 * m + 8191)))" 0
assert_equal "$(owner $((2 * m + 8192)))" 2
# Zeros in a child hide the parents' data.
assert_equal "$(owner $((3 * m)))" 0 "layer of zeros"
assert_equal "$(owner $((3 * m + 65535)))" 0
assert_equal "$(owner $((3 * m + 65536)))" 2
# The offset is where the data is.
at=$(jq ".[] | select(.start == $((2 * m + 4096))).offset" ours)
assert_equal "$(tail -c +$((at + 1)) top.vhd | head -c 4096 | tr -d c)" ''
assert_equal "$(jq -r ".[] | select(.start == $((2 * m + 4096))).filename" \
                   ours)" top.vhd
# All of it, without gaps.
jq -e 'reduce .[] as $e (0; if $e.start == . then . + $e.length
       else error("gap") end) == 8388608' ours >/dev/null

# In words: only data.
vhdkit map top.vhd >out
assert_grep '^Offset +Length +Layer +Mapped to +File$' out
assert_grep '^0x200200 +0x200 +1 +0x[0-9a-f]+ +.*middle.vhd$' out
assert_grep '^0x201000 +0x1000 +0 +0x[0-9a-f]+ +top.vhd$' out
# ... and what is past the last data is not shown at all.
if grep -q '^0x400000 ' out; then fail "zeros are shown"; fi

# A part of it.
vhdkit map --json -s $((2 * m + 256)) -l 512 top.vhd >ours
assert_equal "$(jq -c 'map([.start, .length, .layer])' ours)" \
             "[[2097408,256,2],[2097664,256,1]]"
vhdkit map --json --start-offset=7M --max-length=16M top.vhd >ours
assert_equal "$(jq 'map(.length) | add' ours)" $m
assert_equal "$(vhdkit map --json -s 9M top.vhd | jq -c .)" "[]"
assert_equal "$(vhdkit map --json -l 0 top.vhd | jq -c .)" "[]"
assert_equal "$(vhdkit map --output=json -s 8M top.vhd | jq -c .)" "[]"

# This file only: what it lacks reads as zeros.
vhdkit map --json --no-resolve top.vhd >ours
jq -e 'all(.depth == 0) and (map(select(.layer == 0).length) | add) == 69632 and
       all(.layer == 0 or (.zero and (.present | not)))' ours >/dev/null ||
    { cat ours; fail "--no-resolve"; }

# Without a parent the content is unknown, and so is the map.
mkdir away
mv middle.vhd away
assert_fails vhdkit map top.vhd
assert_grep PARENT_NOT_FOUND stderr

# 2040 GiB, 10,000 blocks here and there; the time is shown, not judged.
python3 - <<'PYTHON'
import random, vhd
size, number = vhd.MAX_SIZE, 10000
image = vhd.new(vhd.DYNAMIC, size)
where = random.Random(1).sample(range(size >> 21), number)
image.blocks = {n: vhd.Block(b'x') for n in where}
image.order = where
image.save('large.vhd')
PYTHON
start=$(date +%s%N)
vhdkit map --json large.vhd >ours
ms=$((($(date +%s%N) - start) / 1000000))
echo "2040 GiB with 10000 blocks: $ms ms"
assert_equal "$(jq 'map(select(.layer == 0).length) | add' ours)" $((10000 * 2 * m))
