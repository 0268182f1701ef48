#!/bin/bash -
# Creating on a real FAT file system, in a guest: Linux may have no vfat here.
# NBD_GUEST: see test-guest.sh.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
[ -n "$NBD_GUEST" ] || skip 'NBD_GUEST is not set'
[ -x "$NBD_GUEST" ] || skip "$NBD_GUEST cannot be run"
requires mkfs.fat --help
case $SANITIZE in
    '') ;;
    *) skip 'the sanitizers are not for the guest' ;;
esac
build_client create
build_client vs2005

# B-071: on a real vfat: 4 GiB - 1 is the largest file
cat >"$tmp/script" <<'EOS'
set -e
PATH=/data:$PATH
truncate -s 6G /fat.img
mkfs.fat -F 32 /fat.img >/dev/null
modprobe loop || :
modprobe vfat || :
mkdir -p /fat
mount -t vfat -o loop /fat.img /fat
cd /fat
run () { echo "$*: $("$@" | cut -c 1-60)"; }
run vs2005 dynamic /fat/a.vhd 8192
run vs2005 fixed /fat/a.vhd 4096 0x20
run vs2005 dynamic /fat/b.vhd 4000
run vs2005 dynamic /fat/b.vhd 4000
run vs2005 fixed /fat/c.vhd 8
run create e.vhd flags=1 maximum_size=4294967296 host_flags=0x20
run create f.vhd flags=1 maximum_size=4294967296
run create g.vhd maximum_size=8589934592
ls
EOS
# The programs and what they need go to /data, wherever they are here.
files=()
for program in "$tmp/vs2005" "$tmp/create" "$(command -v mkfs.fat)"; do
    files+=(--file "$program:/data/${program##*/}")
    for library in $(ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p'); do
        files+=(--file "$(realpath "$library"):/data/${library##*/}")
    done
done
"$NBD_GUEST" -t 300 "${files[@]}" --env LD_LIBRARY_PATH=/data \
    "$tmp/script" >"$tmp/out" 2>"$tmp/guest.log" || {
    status=$?
    cat "$tmp/out"
    [ $status -ne 125 ] || skip "no guest here"
    fail "the guest ended with status $status"
}
cat "$tmp/out"
tr -d '\r' <"$tmp/out" >"$tmp/answers"
assert_grep '^vs2005 dynamic /fat/a.vhd 8192: call FILE_TOO_LARGE_FOR_FS a0040679' "$tmp/answers"
assert_grep '^vs2005 fixed /fat/a.vhd 4096 0x20: call FILE_TOO_LARGE_FOR_FS a0040679' "$tmp/answers"
assert_grep '^vs2005 dynamic /fat/b.vhd 4000: ok' "$tmp/answers"
assert_grep '^vs2005 dynamic /fat/b.vhd 4000: call EXISTS 800700b7' "$tmp/answers"
assert_grep '^vs2005 fixed /fat/c.vhd 8: ok' "$tmp/answers"
assert_grep '^create e.vhd .*: FILE_TOO_LARGE_FOR_FS df' "$tmp/answers"
assert_grep '^create f.vhd .*: FILE_TOO_LARGE_FOR_FS df' "$tmp/answers"
assert_grep '^create g.vhd .*: ok 8589934592' "$tmp/answers"
assert_equal "$(sed -n '/^[a-z]\.vhd$/p' "$tmp/answers" | tr '\n' ' ')" \
             'b.vhd c.vhd g.vhd ' files
