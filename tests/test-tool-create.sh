#!/bin/bash -
# vhdkit create: the three types, their options, and what it refuses.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires qemu-img --version
requires jq --version
cd "$tmp"

# get FILE FILTER: of vhdkit info.
get ()
{
    vhdkit info --json "$1" | jq -r "$2"
}

# refused STATUS PATTERN ARGS...: nothing is made.
refused ()
{
    local expected=$1 pattern=$2 found=0
    shift 2
    vhdkit create "$@" >out 2>err || found=$?
    assert_equal $found "$expected" "status of create $*"
    assert_grep "$pattern" err
    [ ! -s out ] || fail "refused, but answered: $*"
    [ ! -e new.vhd ] || fail "refused, but made: $*"
}

# Sizes, both ways of giving them, and every suffix.
vhdkit create a.vhd 20M >out 2>&1
[ ! -s out ] || fail "create has something to say"
vhdkit create -s 20971520 b.vhd
vhdkit create --size=20480k c.vhd
vhdkit create d.vhd 0x1400000
for f in a b c d; do
    assert_equal "$(get $f.vhd '."virtual-size"')" 20971520 "size of $f.vhd"
    assert_equal "$(get $f.vhd .type)" dynamic
done
vhdkit create e.vhd 2G
vhdkit create f.vhd 1t
assert_equal "$(get e.vhd '."virtual-size"')" 2147483648
assert_equal "$(get f.vhd '."virtual-size"')" 1099511627776

# Types.
vhdkit create --type fixed fixed.vhd 5M
assert_equal "$(get fixed.vhd .type)" fixed
assert_equal "$(stat -c %s fixed.vhd)" $((5 * 1048576 + 512))
vhdkit create -t dynamic -b 512K small.vhd 5M
assert_equal "$(get small.vhd '."block-size"')" 524288
assert_equal "$(get a.vhd '."block-size"')" 2097152
vhdkit create --parent small.vhd child.vhd
vhdkit create -t diff -B fixed.vhd -b 2M child2.vhd
vhdkit create --backing child.vhd child3.vhd
assert_equal "$(get child.vhd .type)" differencing
assert_equal "$(get child.vhd '."block-size"')" 524288
assert_equal "$(get child2.vhd '."block-size"')" 2097152
assert_equal "$(get child3.vhd '."virtual-size"')" 5242880
assert_equal "$(get child3.vhd '."parent-id"')" "$(get child.vhd .id)"
truncate -s 5M raw
vhdkit create -B raw --raw-parent over-raw.vhd
assert_equal "$(get over-raw.vhd '."virtual-size"')" 5242880

# Others agree.
assert_equal "$(qemu-img info -f vpc --output=json a.vhd |
                    jq '."virtual-size"')" 20971520
assert_equal "$(qemu-img info -f vpc --output=json fixed.vhd |
                    jq '."virtual-size"')" 5242880
for f in *.vhd; do
    [ $f != over-raw.vhd ] || continue
    vhdkit check -q $f || fail "$f is not sound"
done
vhdkit check -q --parent raw:raw over-raw.vhd

# Over a chain that cannot be opened: made, and said.
mv small.vhd away
vhdkit create -B child.vhd broken.vhd 2>err
assert_grep 'broken.vhd: note: it cannot be opened .*child.vhd.* not found' err
vhdkit create --profile vs2005 -B "$tmp/child.vhd" broken2.vhd 2>err
assert_grep 'broken2.vhd: note: it cannot be opened' err
vhdkit create -q -B child.vhd broken3.vhd 2>err
vhdkit create -B raw:raw over-raw2.vhd 2>>err
mv away small.vhd
vhdkit create -B child.vhd mended.vhd 2>>err
[ ! -s err ] || fail "notes: $(cat err)"

# The id: given, in any form, or random.
id=01234567-89ab-4cde-8f01-23456789abcd
vhdkit create -u $id id.vhd 3M
assert_equal "$(get id.vhd .id)" $id
vhdkit create --uuid "{${id^^}}" id2.vhd 3M
assert_equal "$(get id2.vhd .id)" $id
[ "$(get a.vhd .id)" != "$(get b.vhd .id)" ] || fail "ids repeat"

# --json says what was made.
vhdkit create --json json.vhd 3M >out
assert_equal "$(jq -r .filename out)" json.vhd
assert_equal "$(jq -r .id out)" "$(get json.vhd .id)"

# The command line contradicts itself: 2.
refused 2 'size' new.vhd
refused 2 'twice' -s 3M new.vhd 4M
refused 2 'size of its parent' -B a.vhd new.vhd 20M
refused 2 'size of its parent' -B a.vhd -s 20M new.vhd
refused 2 'parent' -t diff new.vhd
refused 2 'parent' -t dynamic -B a.vhd new.vhd
refused 2 'parent' -t fixed -B a.vhd new.vhd
refused 2 'parent' --raw-parent new.vhd 3M
refused 2 'blocks' -t fixed -b 2M new.vhd 3M
refused 2 'block-size' -b 0 new.vhd 3M
refused 2 'type' -t sparse new.vhd 3M
for id in 0123 01234567-89ab-4cde-8f01-23456789abcg '{'$id $id'}' \
          00000000-0000-0000-0000-000000000000 $id$id; do
    refused 2 'uuid' -u "$id" new.vhd 3M
done
for size in '' x 3X 3MB -3M +3M ' 3M' 1.5G 0x 0xg 3M3 99999999999999999999 \
            17179869184G; do
    refused 2 'size' new.vhd -s "$size"
done

# The library refuses: 1, with the code.
refused 1 SIZE_TOO_SMALL new.vhd 1M
refused 1 SIZE_TOO_SMALL new.vhd 0
refused 1 SIZE_TOO_LARGE new.vhd 2041G
refused 1 INVALID_PARAMETER new.vhd 3145729
refused 1 INVALID_PARAMETER -b 1M new.vhd 3M
refused 1 FILE_NOT_FOUND -B missing.vhd new.vhd
refused 1 'PATH_NOT_FOUND' no/such/folder/new.vhd 3M

# What is there already stays as it is.
before=$(sha256sum <a.vhd)
mkdir directory
mkfifo fifo
ln -s nowhere dangling
for f in a.vhd directory fifo dangling; do
    refused 1 EXISTS $f 3M
done
assert_equal "$(sha256sum <a.vhd)" "$before" "the image that was there"
[ ! -e nowhere ]
