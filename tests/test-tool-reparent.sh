#!/bin/bash -
# vhdkit reparent: another file as parent, if it is the same disk; or by force.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires jq --version
cd "$tmp"

get ()
{
    vhdkit info --json "$1" | jq -r "$2"
}

# refused STATUS PATTERN ARGS...: child.vhd stays as it is.
refused ()
{
    local expected=$1 pattern=$2 found=0 before
    shift 2
    before=$(sha256sum child.vhd)
    vhdkit reparent "$@" >out 2>err || found=$?
    assert_equal $found "$expected" "status of reparent $*"
    assert_grep "$pattern" err
    [ ! -s out ]
    assert_equal "$(sha256sum child.vhd)" "$before" child.vhd
}

vhdkit create base.vhd 8M
vhdkit create -B base.vhd child.vhd
vhdkit create -B child.vhd grandchild.vhd
vhdkit create other.vhd 8M
vhdkit create larger.vhd 9M

# B-055: through the command: an identical copy is taken, another disk only by
# force
mkdir store
cp base.vhd store/copy.vhd
touch -d '2020-02-02 UTC' store/copy.vhd
rm base.vhd
vhdkit reparent child.vhd store/copy.vhd >out 2>&1
[ ! -s out ] || { cat out; fail "it has something to say"; }
assert_equal "$(get child.vhd '."backing-filename"')" "$tmp/store/copy.vhd"
assert_equal "$(get child.vhd '."parent-date"')" 2020-02-02T00:00:00Z
vhdkit check -q child.vhd

refused 1 'PARENT_ID_MISMATCH, 0xc03a000e' child.vhd other.vhd
refused 1 'PARENT_(ID|SIZE)_MISMATCH' child.vhd larger.vhd
refused 1 'CHAIN_CYCLE' --force child.vhd grandchild.vhd
refused 1 'CHAIN_CYCLE' --force child.vhd child.vhd
refused 1 'FILE_NOT_FOUND' child.vhd missing.vhd
refused 1 'FILE_NOT_FOUND' missing.vhd other.vhd
refused 1 'WRONG_TYPE' other.vhd store/copy.vhd
refused 1 'BAD_PATHNAME' child.vhd ''
refused 2 'which file' --force
refused 2 'which parent' child.vhd
refused 2 'extra' child.vhd other.vhd larger.vhd

vhdkit reparent --force --json child.vhd other.vhd >out
assert_equal "$(jq -r '."parent-id"' out)" "$(get other.vhd .id)"
assert_equal "$(jq -r '."backing-filename"' out)" "$tmp/other.vhd"
vhdkit check -q child.vhd
