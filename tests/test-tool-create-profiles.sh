#!/bin/bash -
# vhdkit create --profile: what Azure and Virtual Server 2005 accept, and which
# HRESULT the latter has for what it does not.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
requires jq --version
cd "$tmp"
MB=1048576

get ()
{
    vhdkit info --json "$1" | jq -r "$2"
}

: >out
: >err
: >lines

# Azure: fixed, whole MiB, by Windows.
vhdkit create --profile azure a.vhd 20M >out 2>&1
[ ! -s out ] || fail "it has something to say"
vhdkit create --profile azure -t fixed b.vhd 20971521 2>err
assert_grep 'b.vhd: note: .*rounded up to whole MiB.*\(22020096 bytes\)' err
vhdkit create -q --profile azure c.vhd 20972032 2>err
[ ! -s err ] || fail "-q says something"
for f in a:20 b:21 c:21; do
    size=$((${f#*:} * MB))
    f=${f%:*}.vhd
    assert_equal "$(get $f .type)" fixed
    assert_equal "$(get $f '."virtual-size"')" $size
    assert_equal "$(stat -c %s $f)" $((size + 512))
    assert_equal "$(get $f .creator)" win
    vhdkit check -q --profile azure $f
done
head -c 22000001 /dev/urandom >raw
vhdkit create --profile azure -S raw:raw d.vhd 2>err
assert_grep 'note: .*rounded up' err
assert_equal "$(get d.vhd '."virtual-size"')" $((21 * MB))
cmp -n 22000001 d.vhd raw
vhdkit create --profile azure -S d.vhd e.vhd 2>err
[ ! -s err ] || fail "21 MiB are rounded"
vhdkit create --profile azure -S d.vhd f.vhd 23000000 2>err
assert_equal "$(get f.vhd '."virtual-size"')" $((22 * MB))
refused 2 'fixed images only' --profile azure -t dynamic new.vhd 20M
refused 2 'fixed images only' --profile azure -B a.vhd new.vhd
refused 1 'SIZE_TOO_LARGE' --profile azure new.vhd 2041G
refused 1 'FILE_NOT_FOUND' --profile azure -S missing.vhd new.vhd

# Windows: the same as no profile.
vhdkit create --profile win32 g.vhd 3M
refused 2 'profile' --profile hyperv new.vhd 3M
refused 1 'SIZE_TOO_SMALL, 0x00000057' --profile win32 new.vhd 3145216

# B-061: through the command: sizes are megabytes
# B-060: through the command: 2088960 MB, and not more
vs=(--profile vs2005)
vhdkit create "${vs[@]}" "$tmp/vs.vhd" 20
assert_equal "$(get vs.vhd '."virtual-size"')" $((20 * MB))
assert_equal "$(get vs.vhd .type)" dynamic
vhdkit create "${vs[@]}" -t fixed -s 3 "$tmp/vs-fixed.vhd"
assert_equal "$(get vs-fixed.vhd .type)" fixed
vhdkit create "${vs[@]}" "$tmp/vs-large.vhd" 2088960
assert_equal "$(get vs-large.vhd '."virtual-size"')" 2190433320960
vhdkit create "${vs[@]}" --json "$tmp/vs-json.vhd" 4 >out
assert_equal "$(jq -r .filename out)" "$tmp/vs-json.vhd"
for f in vs vs-fixed vs-json; do
    vhdkit check -q --profile vs2005 $f.vhd
done

# B-062: through the command: the folder is made
# B-063: through the command: but only one, unless --parents is given
vhdkit create "${vs[@]}" "$tmp/folder/new.vhd" 3
refused 1 'PATH_NOT_FOUND, 0x80070003' "${vs[@]}" "$tmp/no/such/new.vhd" 3
vhdkit create "${vs[@]}" --parents "$tmp/two/folders/new.vhd" 3
mkdir elsewhere

# B-073: through the command: a relative parent is beside the image
# B-074: through the command: a relative image is beside its parent
# B-075: through the command: two relative paths are refused
# B-076: through the command: a missing parent, and no image is made
cd elsewhere
vhdkit create "${vs[@]}" --json -B "$tmp/vs.vhd" child.vhd >out
assert_equal "$(jq -r .filename out)" "$tmp/child.vhd"
assert_equal "$(get ../child.vhd .type)" differencing
vhdkit create "${vs[@]}" -B vs.vhd "$tmp/child2.vhd"
refused 1 'BAD_PATHNAME, 0x800700a1' "${vs[@]}" -B ../vs.vhd new.vhd
cd ..
refused 1 'PATH_NOT_FOUND, 0x80070003' "${vs[@]}" -B missing.vhd \
        "$tmp/new.vhd"

# B-058: through the command: no positive size
# B-059: through the command: below 3 MB
# B-066: through the command: an empty path
# B-067: through the command: a relative path
# B-069: through the command: what exists is 0x800700b7
# B-065: through the command: characters of Windows' names
# B-068: through the command: 260 characters are too long
new=$tmp/new.vhd
refused 1 'INVALID_PARAMETER, 0x80070057' "${vs[@]}" "$new" 0
refused 1 'INVALID_PARAMETER, 0x80070057' "${vs[@]}" -s -1 "$new"
refused 1 'SIZE_TOO_SMALL, 0xa0040684' "${vs[@]}" "$new" 2
refused 1 'SIZE_TOO_LARGE, 0xa0040683' "${vs[@]}" "$new" 2088961
refused 1 'BAD_PATHNAME, 0x800700a1' "${vs[@]}" '' 3
refused 1 'BAD_PATHNAME, 0x800700a1' "${vs[@]}" new.vhd 3
refused 1 'ALREADY|EXISTS, 0x800700b7' "${vs[@]}" "$tmp/a.vhd" 3
for c in '*' '?' ':' '<' '>' '|' '"' '\'; do
    refused 1 'INVALID_NAME, 0x8007007b' "${vs[@]}" "$tmp/n${c}w.vhd" 3
    refused 1 'INVALID_NAME, 0x8007007b' "${vs[@]}" -B "$tmp/p${c}.vhd" "$new"
    # Here they are characters like others.
    vhdkit create "n${c}w.vhd" 3M
done
long=$(printf '%0300d' 0)
refused 1 'NAME_TOO_LONG, 0x8007006f' "${vs[@]}" "$tmp/${long:0:250}.vhd" 3

# What it has no word for.
refused 2 'vs2005 has no --source' "${vs[@]}" -S a.vhd "$new"
refused 2 'vs2005 has no --uuid' "${vs[@]}" "$new" 3 \
        -u 01234567-89ab-4cde-8f01-23456789abcd
refused 2 'vs2005 has no --block-size' "${vs[@]}" "$new" 3 -b 2M
refused 2 'vs2005 has no --no-sync' "${vs[@]}" "$new" 3 --no-sync
refused 2 'vs2005 has no --mode' "${vs[@]}" "$new" 3 --mode 600
refused 2 'megabytes' "${vs[@]}" "$new" 3M
refused 2 'megabytes' "${vs[@]}" "$new" ''
