#!/bin/bash -
# vhdkit create --source: from every kind of source to every type, compared
# with the content of the source and with what qemu-img convert makes of it.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires qemu-img --version
requires jq --version
requires nbdcopy --version
cd "$tmp"

get ()
{
    vhdkit info --json "$1" | jq -r "$2"
}

# same_content IMAGE: what is in $expected, to us and to qemu.
same_content ()
{
    rm -f ours theirs
    nbdkit -U - -r vhd "$1" --run 'nbdcopy "$uri" ours'
    cmp ours expected || fail "$1 has another content"
    qemu-img convert -f vpc -O raw "$1" theirs
    cmp theirs expected || fail "$1 has another content to qemu-img"
    vhdkit check -q "$1" || fail "$1 is not sound"
}

# copied SOURCE ARGS...: to both types; the source stays as it is.
copied ()
{
    local source=$1 type before after
    shift
    before=$([ ! -f "${source#raw:}" ] ||
                 { sha256sum; stat -c '%y %x' "${source#raw:}"; } \
                     <"${source#raw:}")
    for type in fixed dynamic; do
        rm -f copy.vhd
        vhdkit create -t $type -S "$source" "$@" copy.vhd >out 2>&1 ||
            { cat out; fail "create -t $type -S $source $*"; }
        [ ! -s out ] || { cat out; fail "it has something to say"; }
        assert_equal "$(get copy.vhd .type)" $type
        same_content copy.vhd
    done
    after=$([ ! -f "${source#raw:}" ] ||
                { sha256sum; stat -c '%y %x' "${source#raw:}"; } \
                    <"${source#raw:}")
    assert_equal "$after" "$before" "the source"
}

# 13 MiB, with holes, zeros that are stored, and no whole number of blocks.
python3 - <<'PYTHON'
import random
data = random.Random(4).randbytes
with open('raw', 'wb') as f:
    f.truncate(13 * 1048576 + 512)
    for offset, length in ((0, 4096), (2097152 - 512, 1024), (5 << 20, 2 << 20),
                           (13 * 1048576, 512)):
        f.seek(offset)
        f.write(data(length))
    f.seek(9 << 20)
    f.write(bytes(1 << 20))
PYTHON
cp --sparse=always raw expected

# B-034: through the command: fixed to dynamic, compared with qemu-img
# B-035: through the command: dynamic to fixed, compared with qemu-img
# B-040: through the command: the source keeps its content and its times
# B-042: through the command: a raw file, and a block device
#
# A raw file; then what was made of it, and what qemu-img makes of it.
copied raw:raw
vhdkit create -S raw:raw dynamic.vhd
vhdkit create -t fixed -S raw:raw fixed.vhd
copied dynamic.vhd
copied fixed.vhd
for subformat in dynamic fixed; do
    qemu-img convert -f raw -O vpc -o subformat=$subformat,force_size=on \
        raw qemu.vhd
    copied qemu.vhd
done

# B-041: through the command: what is zero takes no space
#
# No more than with qemu-img, give or take the
# alignment of blocks.
qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on raw qemu.vhd
ours=$(stat -c %s dynamic.vhd)
theirs=$(stat -c %s qemu.vhd)
[ "$ours" -le $((theirs + 65536)) ] || fail "$ours bytes; qemu-img: $theirs"
assert_equal "$(get dynamic.vhd '."blocks-allocated"')" 5 "blocks"

# B-037: through the command: no size, or 0, is the size of the source
# B-038: through the command: a larger size ends in zeros, a smaller one is
# refused
# B-039: through the command: a copy has an id of its own, or the one given
#
# Small blocks, an id, and a size.
id=01234567-89ab-4cde-8f01-23456789abcd
vhdkit create -b 512K -u $id -S raw:raw small.vhd
same_content small.vhd
assert_equal "$(get small.vhd '."block-size"')" 524288
assert_equal "$(get small.vhd .id)" $id
[ "$(get dynamic.vhd .id)" != "$(get fixed.vhd .id)" ]
vhdkit create -S raw:raw zero.vhd 0
assert_equal "$(get zero.vhd '."virtual-size"')" $((13 * 1048576 + 512))
vhdkit create -S dynamic.vhd larger.vhd 20M
truncate -s 20M expected
same_content larger.vhd
cp --sparse=always raw expected
status=0
vhdkit create -S dynamic.vhd smaller.vhd 13M 2>err || status=$?
assert_equal $status 1
assert_grep 'too small for the source.*\(INVALID_PARAMETER, 0x00000057\)' err
[ ! -e smaller.vhd ]

# B-036: through the command: a chain, flattened, and its parents moved away
vhdkit create -B dynamic.vhd child.vhd
python3 - <<'PYTHON'
import os
data = os.urandom(100000)
with open('expected', 'r+b') as f:
    f.seek(7 << 20)
    f.write(data)
with open('patch', 'wb') as f:
    f.write(data)
PYTHON
nbdkit -U - vhd child.vhd --run "
    nbdsh -u \"\$uri\" -c 'h.pwrite (open (\"patch\", \"rb\").read (), 7 << 20)'"
vhdkit create -B child.vhd grandchild.vhd
copied child.vhd
copied grandchild.vhd
assert_equal "$(get copy.vhd '."parent-id"')" null
mkdir moved
mv dynamic.vhd moved/base.vhd
mv child.vhd moved/middle.vhd
status=0
vhdkit create -S grandchild.vhd lost.vhd 2>err || status=$?
assert_equal $status 1
assert_grep 'PARENT_NOT_FOUND, 0xc03a000d' err
[ ! -e lost.vhd ]
copied grandchild.vhd --source-parent moved/middle.vhd \
       --source-parent moved/base.vhd
mkdir search
mv moved/base.vhd search/dynamic.vhd
mv moved/middle.vhd search/child.vhd
copied grandchild.vhd --search search

# Over NBD.
start_nbdkit nbd -r file expected
copied "$(uri nbd)"
size=$(stat -c %s expected)
truncate -s $((size + 4096)) expected
copied "$(uri nbd)" --size $((size + 4096))
status=0
vhdkit create -S "$(uri nbd)" -s $((size - 512)) smaller.vhd 2>err || status=$?
assert_equal $status 1
assert_grep 'too small for the source.*\(INVALID_PARAMETER, 0x00000057\)' err
[ ! -e smaller.vhd ]
vhdkit create --profile azure -q -S "$(uri nbd)" azure.vhd
assert_equal "$(get azure.vhd '."virtual-size"')" $((14 * 1048576))
stop_nbdkit nbd
start_nbdkit other memory 8M
truncate -s 8M expected
cp /dev/null expected
truncate -s 8M expected
copied "$(uri other)"
stop_nbdkit other
start_nbdkit none memory 0
: >expected
truncate -s 3M expected
copied "$(uri none)" --size 3M
status=0
vhdkit create -S "$(uri none)" empty.vhd 2>err || status=$?
assert_equal $status 1
assert_grep 'is empty: give a size \(SIZE_TOO_SMALL, 0x00000057\)' err
stop_nbdkit none

# A source without a byte, of a size that is given: zeros.
: >empty
cp /dev/null expected
truncate -s 4M expected
copied raw:empty --size 4M
assert_equal "$(get copy.vhd '."virtual-size"')" 4194304

# Sources that are none.
refused ()
{
    local pattern=$1 found=0
    shift
    vhdkit create "$@" new.vhd >out 2>err || found=$?
    assert_equal $found 1 "status of create $*"
    assert_grep "$pattern" err
    [ ! -s out ]
    [ ! -e new.vhd ] || fail "refused, but made: $*"
}
refused 'FILE_NOT_FOUND' -S missing.vhd
refused 'FILE_NOT_FOUND' -S raw:missing
refused 'FORMAT_UNKNOWN|INVALID_FILE_SIZE' -S raw
refused 'raw:empty is empty: give a size \(SIZE_TOO_SMALL,' -S raw:empty
refused 'IO|FILE_NOT_FOUND' -S "nbd+unix:///?socket=$tmp/nobody.sock"
python3 - <<'PYTHON'
with open('search/dynamic.vhd', 'r+b') as f:
    f.seek(0x600)
    f.write(b'\x00\x7f\xff\xff')
PYTHON
refused 'BAT_CORRUPT|IO|CHAIN_ERROR' -S grandchild.vhd --search search

# B-043: through the command: a block device that somebody holds is refused,
# unless forced
if [ "$(id -u)" -eq 0 ] && loop=$(losetup -f --show raw 2>/dev/null); then
    cleanup_fn losetup -d "$loop"
    cp --sparse=always raw expected
    copied "$loop"
    python3 - "$loop" <<'PYTHON' &
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
open('held', 'w').close()
time.sleep(600)
PYTHON
    holder=$!
    cleanup_fn kill $holder
    wait_for test -e held
    refused 'SOURCE_OWNED|SOURCE_ONLINE' -S "$loop"
    copied "$loop" --force-source
fi
